"""The overview: its counts are the journal's, it refreshes, and it says what needs a person."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.console.pages import overview
from soap_handler.console.pages.charts import HEIGHT, chart
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Entry, State, questions
from soap_handler.notifications import MessageReceived
from tests.console.pages.filled import Filled, console_on, settings_of
from tests.journal.entries import Clock
from tests.support.waiting import wait_for
from tests.support.wire import REFERENCE

if TYPE_CHECKING:
    from pathlib import Path


def numbers(text: str) -> list[str]:
    """Return the big numbers of the flow, in order."""
    return re.findall(r'class="big">(?:<a[^>]*>)?([\d,.]+)', text)


def test_the_flow_has_the_counts_of_the_journal(filled: Filled) -> None:
    """Pushed, stored, handled, done, dead: what status and the journal count."""
    counts = filled.journal.read(questions.states)
    shown = numbers(filled.page("/"))
    assert shown[1:] == [str(counts[each]) for each in (State.RECEIVED, State.HANDLED, State.DONE, State.DEAD)]
    assert sum(map(int, shown[1:])) == 28


def test_it_says_what_is_in_the_way(filled: Filled) -> None:
    """Dead ones, a refused login, an open breaker, a reconciliation with its sum, processes, size."""
    text = re.sub(r"<[^>]+>", "", filled.page("/"))
    for part in (
        "4 dead, most of them by: KeyError: no order 7",
        "EMS refuses the inbox login of EX0067890",
        "9 in the inbox = 7 known + 1 recovered + 1 unreadable",
        "orders answered HTTP 503",
        "2 failed",
        "4 due, 2 to be tried later",
        "orders is paused by its circuit breaker",
    ):
        assert part in text, part
    assert "soap-handler" not in text.partition("Needs you")[2].partition("From push to delete")[0]
    assert re.search(r'KeyError: no order 7\. <a href="/dead">See the dead', filled.page("/"))
    assert re.search(r'reload\. <a href="/accounts">See the accounts</a>', filled.page("/"))
    assert '<span class="state dead">open</span>' in filled.page("/")


def test_the_script_is_given_the_parts_alone(filled: Filled) -> None:
    """A fragment has no head, and each part of the page by its name."""
    status, fragment = filled.get("/", **{"X-Fragment": "1"})
    page = filled.page("/")
    assert status == 200
    assert "<html" not in fragment
    names = re.findall(r'data-live="(\w+)"', fragment)
    assert len(names) >= 6
    assert names == re.findall(r'data-live="(\w+)"', page)


def test_without_script_it_refreshes_on_a_choice(filled: Filled) -> None:
    """By default it does not; a chosen time is in the page, any other number is not."""
    assert "http-equiv" not in filled.page("/")
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in filled.page("/?refresh=15")
    assert "http-equiv" not in filled.page("/?refresh=0")
    assert "http-equiv" not in filled.page("/?refresh=nonsense")


def test_one_look_serves_all_who_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many open overviews ask the journal once a second; after that, what is new is seen."""
    with console_on(settings_of(tmp_path)) as console:
        monkeypatch.setattr(overview, "KEPT_SECONDS", 60.0)
        assert numbers(console.page("/"))[1] == "0"
        console.journal.record(Entry(MessageReceived(account=REFERENCE, id="1"), console.journal.now()))
        assert numbers(console.page("/"))[1] == "0"
        monkeypatch.setattr(overview, "KEPT_SECONDS", 0.0)
        wait_for(lambda: numbers(console.page("/"))[1] == "1")


def test_a_slow_look_holds_up_no_page() -> None:
    """Where there is a former look, it is shown meanwhile; a first one is waited for, and its error is the page's."""
    asked, answered = threading.Event(), threading.Event()
    looks: list[str] = []

    def take() -> Any:
        if looks:
            asked.set()
            assert answered.wait(20)
        looks.append("seen")
        return len(looks)

    clock = Clock()

    def seconds() -> float:
        return clock.moment.timestamp()

    slow: Any = overview.Looks(take, seconds)
    assert slow.latest() == 1
    clock.forward(2)
    assert [slow.latest() for _ in range(2)] == [1, 1]
    assert asked.is_set()
    answered.set()
    wait_for(lambda: slow.latest() == 2)


def test_a_look_that_takes_long_is_kept_for_longer() -> None:
    """Of a journal of many millions each takes seconds: a page that is left open does not slow the service down."""
    clock = Clock()
    looks: list[int] = []

    def take() -> Any:
        clock.forward(3)
        looks.append(1)
        return len(looks)

    def seconds() -> float:
        return clock.moment.timestamp()

    slow: Any = overview.Looks(take, seconds)
    seen = [slow.latest()]
    for _ in range(5):
        clock.forward(2)
        seen.append(slow.latest())
    assert seen == [1] * 6
    clock.forward(4)
    wait_for(lambda: slow.latest() == 2)


def test_the_error_of_a_look_is_told() -> None:
    """The journal was out of reach at first, and is there later."""
    errors = [JournalUnavailableError("gone")]

    def take() -> Any:
        if errors:
            raise errors.pop()
        return "seen"

    looks: Any = overview.Looks(take)
    with pytest.raises(JournalUnavailableError, match="gone"):
        looks.latest()
    assert looks.latest() == "seen"


def test_all_is_well(tmp_path: Path) -> None:
    """An empty journal needs no person, and the page says so."""
    with console_on(settings_of(tmp_path)) as console:
        assert "Pushes are taken, and nothing needs you." in console.page("/")


def test_a_bar_is_as_high_as_its_count() -> None:
    """The highest fills the chart, a single one is seen, and an empty interval has none."""
    drawn = chart("stored", (0, 1, 1000, 500))
    assert [(bar.count, bar.height) for bar in drawn.bars] == [(1, 1.0), (1000, HEIGHT), (500, HEIGHT / 2)]
    assert [bar.y + bar.height for bar in drawn.bars] == [HEIGHT] * 3
    assert (drawn.highest, drawn.total) == (1000, 1501)
    assert chart("stored", (5,), scale=10).bars[0].height == HEIGHT / 2
    assert chart("stored", ()).bars == ()
