"""The audit trail: a row from before an action to after it, on both engines, without phone numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Selection, State
from soap_handler.journal.operator import audit
from soap_handler.journal.retention import Retention
from soap_handler.notifications import Kind
from tests.journal.entries import START, Clock

if TYPE_CHECKING:
    from soap_handler.journal import Journal


def test_an_action_has_one_row(journal: Journal, clock: Clock) -> None:
    """It is there while the action goes on, and is completed by its end."""
    with audit.noted(journal, "olga", "retry", "everything", "192.0.2.7") as note:
        (begun,) = audit.trail(journal, 9)
        clock.forward(2)
        note.notifications = 7
    (row,) = audit.trail(journal, 9)
    assert (begun.ended_at, begun.notifications, begun.begun_at) == (None, None, START)
    assert row == audit.Audited(
        row.number, START, START + timedelta(seconds=2), "olga", "192.0.2.7", "retry", "everything", 7, None
    )


def test_the_latest_come_first_page_by_page(journal: Journal) -> None:
    """Keyset paging: rows that are added meanwhile move none."""
    for name in "abcde":
        with audit.noted(journal, name, "retry", "everything"):
            pass
    first = audit.trail(journal, 2)
    with audit.noted(journal, "f", "retry", "everything"):
        pass
    rest = audit.trail(journal, 9, before=first[-1].number)
    assert "".join(each.who for each in [*first, *rest]) == "edcba"


@pytest.mark.parametrize(
    ("error", "kept"),
    [(JournalUnavailableError("disk full"), "disk full"), (KeyError("+447700900123"), "it was broken off")],
)
def test_an_action_that_fails_says_so(journal: Journal, error: Exception, kept: str) -> None:
    """Of our own errors the text is kept; that of any other may quote anything."""

    def act() -> None:
        with audit.noted(journal, "olga", "retry", "everything"):
            raise error

    with pytest.raises(type(error)):
        act()
    (row,) = audit.trail(journal, 9)
    assert (row.error, row.notifications) == (kept, None)
    assert row.ended_at is not None


def test_odd_texts_are_kept_on_both_engines(journal: Journal) -> None:
    """A NUL, half an emoji or a very long filter does not keep an action from being noted."""
    with audit.noted(journal, "ol\0ga\ud83d", "retry", "x" * 9_999):
        pass
    (row,) = audit.trail(journal, 9)
    assert (row.who, len(row.subject)) == ("olga?", 2_000)


def test_old_rows_are_forgotten(journal: Journal, clock: Clock) -> None:
    """By the time at which each began."""
    for _ in range(3):
        with audit.noted(journal, "olga", "retry", "everything"):
            clock.forward(60)
    assert audit.forget(journal, START + timedelta(seconds=61)) == 2
    assert len(audit.trail(journal, 9)) == 1


def test_retention_forgets_the_trail(journal: Journal, clock: Clock) -> None:
    """By a setting of its own: the trail outlives the notifications, also where these are kept for ever."""
    with audit.noted(journal, "olga", "retry", "everything"):
        pass
    clock.forward(timedelta(days=364).total_seconds())
    retention = Retention(journal, 0, floor=timedelta(), audit_days=365)
    retention.round()
    assert len(audit.trail(journal, 9)) == 1
    clock.forward(timedelta(days=2).total_seconds())
    retention.round()
    assert audit.trail(journal, 9) == []


@pytest.mark.parametrize(
    ("selections", "told"),
    [
        ([Selection()], "everything"),
        ([Selection(state=State.DEAD, kind=Kind.MESSAGE_EVENT)], "state=dead, kind=MessageEvent"),
        ([Selection(account=("EX1", "447700900000"))], "account=EX1 447700900000"),
        ([Selection(originator="447700900123"), Selection(originator="Bank")], "originator=…23; originator=Bank"),
        ([Selection(number="+44 (0)7700-900 123")], "number=…23"),
        ([Selection(error="no route to +447700900123 in 5 s")], "error=no route to …23 in 5 s"),
        ([Selection(seqs=(1, 2, 3)), Selection(key="EX1/x/12345678")], "seqs=1 2 3; key=EX1/x/12345678"),
    ],
)
def test_what_was_asked_for_is_told_without_numbers(selections: list[Selection], told: str) -> None:
    """Numbers of people are masked; names of accounts, which are the customer's own, are not."""
    assert audit.subject_of(selections) == told
