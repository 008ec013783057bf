"""What the command does to notifications is in the audit trail, with the user of the operating system."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import Entry, Journal, Settlement, State, Step
from soap_handler.journal.databases.proof import operator
from soap_handler.notifications import MessageReceived
from tests.cli.conftest import Run, write_configuration

if TYPE_CHECKING:
    from pathlib import Path

NUMBER = "447700900123"


@pytest.fixture(autouse=True)
def _filled(tmp_path: Path) -> None:
    """Two dead notifications, one that is done, and one that waits for its handler."""
    write_configuration(tmp_path)
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        for number, state in enumerate([State.DEAD, State.DEAD, State.DONE, None]):
            message = MessageReceived(account="EX0012345", id=f"m{number}", originator=NUMBER, body="hush")
            moment = datetime.now(UTC)
            journal.record(Entry(message, moment))
            if state is not None:
                (claim,) = journal.claim(1, timedelta(minutes=1))
                journal.settle([Settlement(claim, Step.HANDLE, state, None, moment, moment, "no")])


@pytest.mark.parametrize(
    ("command", "action", "subject", "notifications"),
    [
        (("journal", "retry", "--all", "--originator", NUMBER), "retry", "originator=…23", 2),
        (("journal", "retry", "EX0012345/MessageReceived/m0"), "retry", "key=EX0012345/MessageReceived/m0", 1),
        (("journal", "replay", "--all", "--yes"), "replay", "everything", 1),
        (("journal", "give-up", "--all", "--reason", "a test"), "give-up", "everything", 1),
        (("journal", "release", "--all"), "release", "everything", 0),
        (("erase", f"+{NUMBER}", "--account", "EX0012345", "--yes"), "erase", "a number, account=EX0012345", 4),
        (("erase", f"+{NUMBER}", "--yes"), "erase", "a number", 4),
    ],
)
def test_an_action_is_a_row(run: Run, command: tuple[str, ...], action: str, subject: str, notifications: int) -> None:
    """It has who, what, and how many; the number of a person is masked."""
    assert run(*command).code == 0
    (row,) = run("journal", "audit", "--json").json
    assert (row["who"], row["action"], row["subject"]) == (f"cli:{operator()}", action, subject)
    assert (row["notifications"], row["error"], row["caller"]) == (notifications, None, None)
    assert row["begun_at"] <= row["ended_at"]
    shown = run("journal", "audit").out
    assert action in shown
    assert NUMBER not in shown


@pytest.mark.parametrize(
    "command",
    [
        ("journal", "retry", "--all", "--dry-run"),
        ("journal", "replay", "--all", "--dry-run"),
        ("journal", "give-up", "--all", "--reason", "a test", "--dry-run"),
        ("journal", "release", "--all", "--dry-run"),
        ("erase", f"+{NUMBER}", "--dry-run"),
    ],
)
def test_what_is_only_counted_is_no_row(run: Run, command: tuple[str, ...]) -> None:
    """A dry run writes nothing, here neither."""
    assert run(*command).code == 0
    assert run("journal", "audit", "--json").json == []


def test_the_trail_is_the_latest_first(run: Run) -> None:
    """Up to the limit."""
    for action in ("retry", "release"):
        run("journal", action, "--all")
    assert [row["action"] for row in run("journal", "audit", "--json").json] == ["release", "retry"]
    assert [row["action"] for row in run("journal", "audit", "--json", "--limit", "1").json] == ["release"]
