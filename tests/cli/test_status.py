"""``status``: one screen and JSON from the journal alone, and whether something needs a person."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from soap_handler.cli import status as status_command
from soap_handler.cli import status_view
from soap_handler.journal import Beginning, Entry, Journal, Refusal, Settlement, State, Step, Tally
from soap_handler.journal.questions.concerns import LATE
from soap_handler.notifications import MessageReceived
from tests.cli.conftest import Run, write_configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from soap_handler.journal import Claim

MINUTE = timedelta(minutes=1)
ROUTES = """
[[route]]
kinds = ["MessageReceived"]
sink = "shop"
[[route]]
sink = "rest"
[sink.shop]
type = "webhook"
url = "https://shop.example/hook"
[sink.rest]
type = "stdout"
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    write_configuration(tmp_path)
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as opened:
        yield opened


def store(journal: Journal, *ids: str, at: datetime | None = None) -> list[Claim]:
    """Store messages and claim them."""
    moment = at or datetime.now(UTC)
    told = [MessageReceived(account="EX0012345", id=each, originator=f"44{each}", body="hush") for each in ids]
    journal.record_all([Entry(each, moment) for each in told])
    return journal.claim(99, MINUTE)


def settle(journal: Journal, claim: Claim, state: State, error: str | None = None, *, paused: bool = False) -> None:
    now = datetime.now(UTC)
    due_at = None if state in {State.DONE, State.DEAD} else journal.queue_now() + MINUTE
    uncalled = "paused" if paused else None
    journal.settle([Settlement(claim, Step.HANDLE, state, due_at, now, now, error, uncalled)])


def test_all_is_well(run: Run, journal: Journal) -> None:
    """It ends with 0, on an empty journal too, and the screen fits 80 columns without a message's text."""
    assert run("status").code == 0
    first, second = store(journal, "1", "2")
    settle(journal, first, State.HANDLED)
    settle(journal, second, State.DONE)
    result = run("status")
    assert result.code == 0
    assert "Nothing needs you." in result.out
    assert "hush" not in result.out
    assert "\x1b" not in result.out
    assert all(len(line) <= 80 for line in result.out.splitlines())


def test_what_needs_a_person_ends_with_1(run: Run, journal: Journal) -> None:
    """With the sentence that says what."""
    first, second = store(journal, "1", "2")
    settle(journal, first, State.DEAD, "HTTP 400")
    settle(journal, second, State.DONE)
    result = run("status")
    assert result.code == 1
    assert "Needs you: 1 dead, most of them by: HTTP 400." in result.out
    assert "      1  HTTP 400" in result.out


def test_json_has_the_counts_of_the_journal(run: Run, journal: Journal) -> None:
    """The same as the records say, and why each one died."""
    first, second, *_ = store(journal, *"12345")
    settle(journal, first, State.DEAD, "no")
    settle(journal, second, State.HANDLED)
    shown = run("status", "--json").json
    assert shown["states"] == {"received": 3, "handled": 1, "done": 0, "dead": 1}
    assert shown["waiting"]["handle"]["in_work"] == 3
    assert [(each["error"], each["count"], each["key"]) for each in shown["dead"]] == [("no", 1, first.key)]
    assert shown["pace"]["pushed"]["count"] == 5
    assert len(shown["needs_a_person"]) == 1
    assert shown["processes"][0]["in_work"] == 3


def test_inboxes_and_reconciliations(run: Run, journal: Journal) -> None:
    """A refused login with since when, and the sum of each run."""
    journal.gates.refuse(Refusal("EX0012345", 3, journal.gates.moment_in(3600), "hash", "HTTP 401"))
    for account, error in (("EX0012345", None), ("EX2", "no answer")):
        number = journal.begin_reconciliation(Beginning(account, datetime.now(UTC)))
        assert number is not None
        journal.end_reconciliation(number, Tally(12, 2, 1, 8, 1), error)
    result = run("status")
    assert result.code == 1
    assert "inbox      EX0012345: login refused since" in result.out
    assert "3 times; next try in" in result.out
    assert "12 in the inbox = 9 known + 2 recovered + 1 unreadable" in result.out
    assert "the last reconciliation of EX2 failed: no answer." in result.out
    assert "EMS refuses the inbox login of EX0012345 (3 times in a row): HTTP 401." in result.out


def test_destinations_by_their_routes(run: Run, journal: Journal, tmp_path: Path) -> None:
    """Which takes what is said by the settings; whether its breaker was open, by the history."""
    write_configuration(tmp_path, ROUTES)
    (claim,) = store(journal, "1")
    settle(journal, claim, State.RECEIVED, "HTTP 503", paused=True)
    shown = run("status", "--json").json["destinations"]
    assert [(each["name"], each["state"]) for each in shown] == [("shop", "paused"), ("rest", "no attempt lately")]
    assert "to         shop: paused" in run("status").out


def test_what_stands_still_is_told(run: Run, journal: Journal) -> None:
    """Due for long, and no attempt: no service works on it."""
    claims = store(journal, "1", "2", at=datetime.now(UTC) - 2 * LATE)
    journal.release(claims, Step.HANDLE, pause=-timedelta(minutes=6))
    result = run("status")
    assert result.code == 1
    assert "2 due for its handler, and nothing happened in the last minutes: does the service run?" in result.out
    assert "has waited for its handler for 2 h" in result.out


def test_watch_looks_again(
    tmp_path: Path, journal: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until Ctrl-C, on an open journal; one that is out of reach for a while is said."""
    looks = iter("12")

    def between(_: float) -> None:
        look = next(looks, None)
        if look is None:
            raise KeyboardInterrupt
        if look == "1":
            store(journal, look)

    monkeypatch.setattr("time.sleep", between)
    with contextlib.suppress(KeyboardInterrupt):
        status_command.status(config=tmp_path / "soap-handler.toml", watch=True)
    first, second, _ = capsys.readouterr().out.split("soap-handler at ")[1:]
    assert "pushed 0 ->" in first
    assert "pushed 0.2 ->" in second
    with status_view.Looks(tmp_path / "soap-handler.toml") as open_looks:
        journal.close()
        for file in tmp_path.glob("journal.db*"):
            file.write_bytes(b"no database at all, but long enough to be read as one" * 100)
        assert "soap-handler: the journal cannot be read" in open_looks.next()


@pytest.mark.parametrize(("took", "pause"), [(0.01, 2), (0.3, 6), (5, 10)])
def test_a_watcher_looks_less_often_where_a_look_takes_long(took: float, pause: float) -> None:
    """A large journal is not kept busy by those who watch it, and what they see is never old."""
    assert status_command.pause(took) == pause


def test_a_long_sentence_keeps_to_the_lines_of_the_terminal(
    run: Run, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 80 columns; no word is cut. In a pipe it is one line."""
    (claim,) = store(journal, "a")
    settle(journal, claim, State.DEAD, "HTTP 400 " + "and more " * 4)
    (whole,) = (line for line in run("status").out.splitlines() if line.startswith("Needs you: "))
    monkeypatch.setattr("soap_handler.cli.columns.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    lines = run("status").out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    first = next(number for number, line in enumerate(lines) if line.startswith("Needs you: "))
    assert " ".join(" ".join(lines[first:]).split()) == " ".join(whole.split())


def test_without_a_journal(run: Run, tmp_path: Path) -> None:
    """It says so, and makes none."""
    write_configuration(tmp_path)
    result = run("status")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert not (tmp_path / "journal.db").exists()
    assert run("status", "--watch", "--json").code == 2
