"""Giving up by hand, on both engines: what waits for its handler is dead with a reason; what is in work stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import (
    Entry,
    Journal,
    Selection,
    State,
    Step,
    count_to_give_up,
    give_up,
)
from soap_handler.journal.operator import giving_up
from tests.journal.entries import ANN, LEASE, START, Clock, claim_in_order, ended, entry, message

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def journal(url: str, clock: Clock) -> Iterator[Journal]:
    """Open one in the plain way: all of this is the same with the fast path."""
    with Journal(url, clock=clock) as opened:
        yield opened


def test_what_waits_is_dead_with_its_reason(journal: Journal) -> None:
    """The history says so, and retry sends it round again."""
    journal.record(entry(0))
    assert count_to_give_up(journal, Selection()) == 1
    assert give_up(journal, Selection(), "order cancelled") == 1
    (record,) = journal.records(Selection())
    assert (record.state, record.due_at, record.attempts) == (State.DEAD, None, 0)
    (line,) = journal.history(record.seq)
    assert (line.step, line.outcome, line.error) == (Step.GIVE_UP, "given up", "order cancelled")
    assert give_up(journal, Selection(), "once more") == 0
    assert journal.retry(Selection(error="cancelled")) == 1
    assert len(journal.claim(9, LEASE)) == 1


def test_what_is_in_work_handled_or_done_is_left_out(journal: Journal, clock: Clock) -> None:
    """A lease that ran out holds nothing back: its process is gone, or its late result does not count."""
    journal.record_all([Entry(message(number, originator=f"44{number}"), START) for number in range(4)])
    handled, done, working = journal.claim(3, LEASE)
    journal.settle([ended(handled, State.HANDLED, START), ended(done, State.DONE)])
    assert give_up(journal, Selection(), "no") == 1
    assert count_to_give_up(journal, Selection(key=working.key)) == 0
    clock.forward(LEASE.total_seconds() + 1)
    assert give_up(journal, Selection(key=working.key), "no") == 1
    assert journal.settle([ended(working, State.DONE)]) == [False]
    assert len(journal.records(Selection(state=State.DEAD))) == 2


def test_the_next_of_its_originator_may_start(journal: Journal) -> None:
    """What was blocked behind it is due at once."""
    for number in range(2):
        journal.record(Entry(message(number, originator=ANN), START))
    (first,) = claim_in_order(journal)
    journal.settle([ended(first, State.RECEIVED, START + LEASE, error="no")])
    assert claim_in_order(journal) == [], "the second is blocked behind the first, which waits for its retry"
    assert give_up(journal, Selection(key=first.key), "no") == 1
    assert [claim.key for claim in claim_in_order(journal)] == [message(1).key]


def test_very_many_are_given_up_in_parts(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction holds up the pushes for long."""
    monkeypatch.setattr("soap_handler.journal.operator.in_parts.ROWS_PER_STEP", 3)
    journal.record_all([entry(number) for number in range(10)])
    assert give_up(journal, Selection(), "x" * 1000) == 10
    record, *_ = journal.records(Selection(state=State.DEAD))
    assert journal.history(record.seq)[0].error == "x" * giving_up.REASON_LENGTH
