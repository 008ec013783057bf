"""One message: its timeline is the journal's, to the millisecond; what was repaired; the request as tree and bytes."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest

from soap_handler.console.pages.history import timeline
from soap_handler.console.pages.kept_request import MOST_BYTES, hex_dump, shown
from soap_handler.journal import Attempt, Record, Selection, Source, State, Step
from soap_handler.notifications import Kind
from tests.console.pages.filled import KEPT, Filled, as_viewer

AT = datetime(2026, 3, 2, 8, 0, 0, 123_000, tzinfo=UTC)


def times(text: str) -> list[str]:
    """Return the exact times of the timeline."""
    part = text[text.index('<ol class="timeline">') :]
    return re.findall(r'datetime="([^"]+)"', part[: part.index("</ol>")])


def exact(moment: datetime | None) -> str:
    assert moment is not None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_timeline_is_the_journal(filled: Filled) -> None:
    """Stored, handled, deleted, done: each time is that of the row, to the millisecond."""
    record = filled.record(State.DONE)
    history = filled.journal.history(record.seq)
    page = filled.page(f"/messages/{record.seq}")
    moments = [record.received_at, *(each.started_at for each in history), record.done_at]
    assert times(page) == [exact(moment) for moment in moments]
    handled = history[0]
    assert f"Handled took {round((handled.ended_at - handled.started_at).total_seconds() * 1000)} ms" in text_of(page)
    assert "Deleted from the inbox, confirmed by EMS" in page
    assert "Done: it has left the inbox" in page


def test_a_dead_one_says_where_it_failed(filled: Filled) -> None:
    """The error, how long it took, the process, the frames; and how it is sent round again."""
    record = filled.record(State.DEAD)
    page = text_of(filled.page(f"/messages/{record.seq}"))
    for part in ("Handling failed took 1.234 s", "KeyError: no order 7", "> sms.py:12 in take_in", "process"):
        assert part in page, part
    assert re.search(
        rf'action="/actions/retry">.*?name="seq" value="{record.seq}"',
        filled.page(f"/messages/{record.seq}"),
        re.DOTALL,
    )


def test_what_is_due_comes_last(filled: Filled) -> None:
    """A failed delete says when it is tried again, and how often it failed."""
    record = next(each for each in filled.journal.records(Selection(state=State.HANDLED)) if each.delete_attempts)
    page = text_of(filled.page(f"/messages/{record.seq}"))
    assert "Delete from the inbox failed" in page
    assert "EMS answered HTTP 503" in page
    assert "Next: the delete from the inbox is due in" in page


def repaired(filled: Filled) -> Record:
    return next(each for each in filled.journal.records(Selection()) if "f" * 32 in each.key)


def test_a_repaired_one_shows_its_request(filled: Filled) -> None:
    """What was repaired and why, the elements with their texts, and each byte."""
    page = filled.page(f"/messages/{repaired(filled).seq}")
    text = text_of(page)
    assert "unescaped character an & or < stands unescaped in a text; it was read as itself" in text
    assert "< body > a & b" in text
    assert hex_dump(KEPT).splitlines()[1] in html.unescape(page)
    assert KEPT.decode() in html.unescape(page)


def test_bodies_are_shown_to_who_may_read_them(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anyone else sees that there is one: neither the text, nor the request, nor what was wrong with it."""
    as_viewer(filled, monkeypatch)
    page = filled.page(f"/messages/{repaired(filled).seq}")
    assert "a &amp; b" not in page
    assert hex_dump(KEPT).splitlines()[1] not in page
    assert "not shown to you" in page
    assert "447700900199" in page


def record_of(state: State, **values: object) -> Record:
    usual: dict[str, object] = {
        "seq": 1, "key": "k", "account": "a", "kind": Kind.MESSAGE_RECEIVED, "source": Source.PUSH, "originator": None,
        "received_at": AT, "due_at": None, "handled_at": None, "done_at": None, "attempts": 0, "delete_attempts": 0,
        "leased": False, "erased_at": None, "payload": "{}",
    }  # fmt: skip
    return Record(state=state, **{**usual, **values})  # type: ignore[arg-type] # the fields of a record


def attempt_of(step: Step, outcome: str, seconds: float = 1.0) -> Attempt:
    at = AT + timedelta(seconds=seconds)
    return Attempt(step, at, at + timedelta(milliseconds=5), outcome, None, "host:4711:ab12cd34:7")


@pytest.mark.parametrize(
    ("step", "outcome", "title", "tone"),
    [
        (Step.HANDLE, "ok", "Handled", "good"),
        (Step.HANDLE, "ok, too late", "Handled", "good"),
        (Step.HANDLE, "failed", "Handling failed", "bad"),
        (Step.HANDLE, "ignored", "Ignored: no handler takes this kind, on purpose", "plain"),
        (Step.HANDLE, "paused", "Not delivered: the destination is paused", "bad"),
        (Step.HANDLE, "dead", "Dead without another attempt", "bad"),
        (Step.DELETE, "ok", "Deleted from the inbox, confirmed by EMS", "good"),
        (Step.DELETE, "failed", "Delete from the inbox failed", "bad"),
        (Step.REPLAY, "replayed", "Sent round again by hand", "plain"),
        (Step.GIVE_UP, "given up", "Given up by hand", "bad"),
    ],
)
def test_each_line_of_a_history_has_its_words(step: Step, outcome: str, title: str, tone: str) -> None:
    """Whatever the journal writes is told, with the process that did it."""
    entry = timeline(record_of(State.DEAD), [attempt_of(step, outcome)])[1]
    assert (entry.title, entry.tone, entry.by) == (title, tone, "host, process 4711")


def test_entries_are_in_order_of_time() -> None:
    """What comes next is last, whatever its time; entries of one instant stay as they were written."""
    history = [attempt_of(Step.HANDLE, "failed", 0), attempt_of(Step.PUSH, "duplicate", 0)]
    waiting = record_of(State.RECEIVED, due_at=AT - timedelta(hours=1), leased=True)
    titles = [entry.title for entry in timeline(waiting, history)]
    assert titles[0] == "Pushed by EMS and stored"
    assert titles[1:3] == ["Handling failed", "Pushed again: a duplicate, which changes nothing"]
    assert titles[3].startswith("In work")


@pytest.mark.parametrize(
    "content",
    [b"", b"a=1&b=2", b"<a", b"\xff\xfe\x00", b"<!DOCTYPE a><a/>", b"<a>" * 500, bytes(range(256)), b"  <a>\x00</a>"],
)
def test_any_request_is_shown(content: bytes) -> None:
    """What is no XML, or cannot be one, has no tree; text and bytes are there."""
    seen = shown(content)
    assert seen.size == len(content)
    assert seen.bytes.count("\n") == max(0, (len(content) - 1) // 16)


def test_a_large_request_is_shown_in_part() -> None:
    """The page stays small whatever is kept."""
    seen = shown(b"<a>" + b"x" * 2 * MOST_BYTES + b"</a>")
    assert (len(seen.text), seen.size) == (MOST_BYTES, 2 * MOST_BYTES + 7)
