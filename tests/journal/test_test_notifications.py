"""Test notifications, which ``soap-handler doctor`` pushes: stored, shown as tests, and work for nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from soap_handler.journal import Entry, Source, State
from soap_handler.notifications import TEST_ID
from tests.journal.entries import LEASE, START, claim_in_order, entry, message, only

if TYPE_CHECKING:
    from soap_handler.journal import Journal

TEST = Entry(replace(message(1), id=f"{TEST_ID}1"), START)


def test_a_test_is_done_as_soon_as_it_is_stored(journal: Journal) -> None:
    """It is in the journal as what it is, and a copy is a duplicate."""
    assert journal.record_all([TEST, TEST]) == [True, False]
    record = only(journal)
    assert (record.state, record.source, record.due_at) == (State.DONE, Source.TEST, None)
    assert (record.handled_at, record.done_at) == (None, START)


def test_a_test_is_never_claimed(journal: Journal) -> None:
    """Neither for a handler, in order or not, nor for a delete; and it blocks no message of its originator."""
    journal.record_all([TEST, entry(2)])
    account = TEST.notification.account
    assert journal.claim_deletions(account, 9) == []
    (claim,) = claim_in_order(journal)
    assert claim.key == entry(2).notification.key
    assert journal.claim(9, LEASE) == []
    assert journal.next_deletions().get(account) is None


def test_a_test_does_not_stay_for_ever(journal: Journal) -> None:
    """Retention deletes it like all that is done."""
    journal.record(TEST)
    assert journal.purge(START + timedelta(seconds=1)).deleted == 1
