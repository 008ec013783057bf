"""What counts as an attempt: a call that ended or was noted as begun, and neither a lease nor what was not called."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from soap_handler.journal import Entry, Journal, Selection, State, Step
from tests.journal.entries import LEASE, START, Clock, ended, entry, message, only


def second(number: float) -> datetime:
    return START + timedelta(seconds=number)


def test_an_attempt_counts_when_it_ends_or_is_begun(journal: Journal, clock: Clock) -> None:
    """A lease is no attempt: one that ran out leaves the count, unless its beginning was noted."""
    journal.record(entry(1))
    (first,) = journal.claim(1, LEASE)
    assert only(journal).attempts == 0
    clock.forward(60)
    (second,) = journal.claim(1, LEASE)
    assert not journal.begin(first), "its lease is lost"
    assert journal.begin(second)
    assert only(journal).attempts == 1
    clock.forward(60)
    (third,) = journal.claim(1, LEASE)
    assert [claim.attempts for claim in (first, second, third)] == [1, 1, 2]
    journal.settle([ended(third, State.RECEIVED, clock(), "ValueError: no")])
    assert only(journal).attempts == 2


def test_a_suspect_that_was_begun_and_given_back_was_no_attempt(journal: Journal, clock: Clock) -> None:
    """Its count goes back to what it was; it is due after the pause."""
    journal.record_all([entry(number) for number in range(2)])
    journal.claim(2, LEASE)
    clock.forward(60)
    one, other = journal.claim(2, LEASE)
    assert journal.begin(one)
    journal.release([one, other], Step.HANDLE, timedelta(seconds=5))
    assert [(each.attempts, each.due_at, each.leased) for each in journal.records(Selection())] == [
        (0, second(65), False)
    ] * 2


@pytest.mark.parametrize("in_order", [False, True])
def test_suspects_are_claimed_as_many_as_are_wanted(journal: Journal, clock: Clock, *, in_order: bool) -> None:
    """The others stay due and suspect, and what is no suspect is claimed past them."""
    for number in range(6):
        journal.record(Entry(message(number, originator=f"44770090000{number}"), START))
    assert len(journal.claim(4, LEASE, in_order=in_order)) == 4
    clock.forward(60)
    claims = [journal.claim(3, LEASE, suspects=suspects, in_order=in_order) for suspects in (1, 0, 0, 1, None)]
    assert [sum(claim.is_suspect for claim in batch) for batch in claims] == [1, 0, 0, 1, 2]
    assert sum(len(batch) for batch in claims) == 6
    assert {claim.notification.body for batch in claims[:3] for claim in batch} == {"0", "4", "5"}  # type: ignore[union-attr] # all are messages


def test_what_no_handler_was_called_for_is_no_attempt(journal: Journal) -> None:
    """Ignored or dead without a call: the state moves, the history says which, and nothing counts as handled."""
    for number, (state, outcome) in enumerate([(State.DONE, "ignored"), (State.DEAD, "dead")]):
        journal.record(entry(number))
        (claim,) = journal.claim(1, LEASE)
        assert journal.settle([ended(claim, state)._replace(uncalled=outcome)]) == [True]
        (record,) = journal.records(Selection(key=claim.key))
        assert (record.state, record.attempts, record.handled_at, record.leased) == (state, 0, None, False)
        assert [one.outcome for one in journal.history(record.seq)] == [outcome]
