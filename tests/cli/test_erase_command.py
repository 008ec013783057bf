"""``erase``: what it removes, what it says, and what it refuses."""

from __future__ import annotations

import io
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import Entry, Journal, Selection, State
from soap_handler.notifications import MessageReceived
from tests.cli.conftest import Run, write_configuration

if TYPE_CHECKING:
    from pathlib import Path

NUMBER = "447700900123"
INBOX = 'inbox = { url = "http://127.0.0.1:9/", username = "someone", password = "secret" }'


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Make a journal of a message from the number, one that mentions it, and one of neither kind."""
    address = f"sqlite:///{tmp_path / 'journal.db'}"
    with Journal(address) as journal:
        for number, (originator, body) in enumerate([(NUMBER, "Hi"), ("SHOP", f"call +{NUMBER}"), ("SHOP", "Hi")]):
            told = MessageReceived(
                account="EX0012345", id=str(uuid.UUID(int=number + 1)), originator=originator, body=body
            )
            journal.record(Entry(told, datetime.now(UTC)))
    return address


def test_everything_is_counted_and_gone(run: Run, tmp_path: Path, url: str) -> None:
    """The counts say what was done; no file of the journal holds the number; the message still leaves the inbox."""
    write_configuration(tmp_path, account=INBOX)
    expected = {"notifications": 1, "waiting": 1, "mentions": 1, "attempts": 0, "reconciliations": 0}
    assert run("erase", NUMBER, "--dry-run", "--json").json == {"dry_run": True, **expected, "files": None}
    result = run("erase", "+44 7700 900123", "--json", "--yes")
    assert (result.code, result.json) == (0, {"dry_run": False, **expected, "files": "clean"})
    assert all(NUMBER.encode() not in file.read_bytes() for file in tmp_path.glob("journal.db*"))
    with Journal(url) as journal:
        states = [record.state for record in journal.records(Selection())]
    assert states == [State.RECEIVED, State.RECEIVED, State.HANDLED]


def test_people_get_a_table_without_the_number(run: Run, tmp_path: Path, url: str) -> None:
    """It may end up in a terminal's log."""
    write_configuration(tmp_path)
    result = run("erase", NUMBER, "-y")
    assert result.code == 0
    assert "other notifications that mention it" in result.out
    assert "Nothing of it is left in the journal's files." in result.out
    assert NUMBER not in result.out + result.err
    with Journal(url) as journal:
        assert journal.records(Selection(state=State.DONE)), "no inbox is configured, so nothing waits for a delete"


def test_a_dry_run_writes_nothing(run: Run, tmp_path: Path, url: str) -> None:
    """It counts, and says that it did no more."""
    write_configuration(tmp_path)
    with Journal(url) as journal:
        before = journal.records(Selection())
    assert "Nothing was written." in run("erase", NUMBER, "--dry-run").out
    with Journal(url) as journal:
        assert journal.records(Selection()) == before


def test_an_erased_one_is_shown_as_such(run: Run, tmp_path: Path, url: str) -> None:
    """Nobody wonders why it is empty."""
    write_configuration(tmp_path)
    with Journal(url) as journal:
        (record,) = journal.records(Selection(originator=NUMBER))
    run("erase", NUMBER, "--yes")
    assert "erased at" in run("journal", "show", record.key).out
    assert run("journal", "show", record.key, "--json").json["erased_at"]


def test_it_asks_first(run: Run, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the counts, on the error output. Where the answer is no, or there is none, nothing is erased."""
    write_configuration(tmp_path)
    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        result = run("erase", NUMBER, "--json")
        assert (result.code, result.out.strip()) == (1, "")
        assert "This would be erased for good: 1 notifications about the number, 1 of them waiting" in result.err
        assert "0 " not in result.err
    with Journal(url) as journal:
        assert journal.records(Selection(originator=NUMBER))
        assert journal.erasures.records() == []
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run("erase", NUMBER, "--json").json["notifications"] == 1
    assert run("erase", NUMBER, "--json").json["notifications"] == 0, "where there is nothing, it does not ask"


def test_each_erasure_is_recorded_without_the_number(run: Run, tmp_path: Path, url: str) -> None:
    """Who, when, where and how much; the number is not in it, and with the number its erasures are found."""
    write_configuration(tmp_path)
    run("erase", NUMBER, "--yes", "--account", "447786204254")
    run("erase", "+447700900999", "--yes")
    other, own = run("erase", "--list", "--json").json
    assert (own["account"], own["notifications"], own["mentions"], other["notifications"]) == ("EX0012345", 1, 1, 0)
    assert own["started_at"] <= own["ended_at"] <= other["started_at"]
    assert "@" in own["who"]
    assert own["digest"].startswith("$scrypt$")
    assert run("erase", "--list", "0044 7700 900123", "--json").json == [own]
    assert run("erase", "--list", "+447700900124", "--json").json == []
    shown = run("erase", "--list").out
    assert own["who"] in shown
    assert NUMBER not in shown
    with Journal(url) as journal:
        assert [each.erased.notifications for each in journal.erasures.records()] == [0, 1]


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "expected the number to erase, or --list"),
        (("--list", " "), "expected a phone number"),
        ((" ",), "expected a phone number"),
        (("+447786204254",), "your own account EX0012345"),
        ((NUMBER, "--account", "EX9"), "expected one that the configuration has"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, tmp_path: Path, arguments: tuple[str, ...], problem: str) -> None:
    """A blank, an account's own number, which is in every message, and an account that there is not."""
    write_configuration(tmp_path)
    result = run("erase", *arguments)
    assert result.code == 2
    assert problem in " ".join(result.err.replace("│", " ").split())


def test_without_a_journal_there_is_nothing_to_erase(run: Run, tmp_path: Path) -> None:
    """And none is made."""
    write_configuration(tmp_path)
    result = run("erase", NUMBER)
    assert (result.code, "there is no journal" in result.err) == (1, True)
    assert not (tmp_path / "journal.db").exists()
