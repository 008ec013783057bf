"""Replay: what is done goes round again, and what has left the inbox is not deleted there once more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from soap_handler.dispatch.settlements import Settlements
from soap_handler.journal import Entry, Selection, State, Step, Trace, count_replayable, replay
from soap_handler.notifications import TEST_ID, MessageEvent
from soap_handler.retry import Backoff, RetryPolicy
from tests.journal.entries import ANN, LEASE, START, claim_in_order, ended, entry, message, only

if TYPE_CHECKING:
    from soap_handler.journal import Claim, Journal

ACCOUNT = message(1).account


def handle(journal: Journal) -> list[Claim]:
    """Handle what is due, of an account whose inbox is emptied; return the claims."""
    settlements = Settlements(RetryPolicy(Backoff(1, 1), 5), {ACCOUNT}.__contains__, queue_now=journal.queue_now)
    claims = journal.claim(99, LEASE)
    journal.settle([settlements.of(claim, START, None) for claim in claims])
    return claims


def empty_inbox(journal: Journal) -> int:
    """Have EMS confirm the deletes that are due; return how many there were."""
    claims = journal.claim_deletions(ACCOUNT, 99)
    journal.settle_deleted(claims)
    return len(claims)


def test_a_message_that_has_left_the_inbox_is_not_deleted_again(journal: Journal) -> None:
    """It is handled once more, with a fresh count, and is done after that; the history has it all."""
    journal.record(entry(1))
    handle(journal)
    assert empty_inbox(journal) == 1
    assert count_replayable(journal, Selection()) == (1, 1)
    assert replay(journal, Selection()) == (1, 1)
    waiting = only(journal)
    assert (waiting.state, waiting.handled_at, waiting.done_at) == (State.RECEIVED, None, None)
    (claim,) = handle(journal)
    assert (claim.attempts, claim.has_left_inbox) == (1, True)
    assert empty_inbox(journal) == 0
    done = only(journal)
    assert (done.state, done.due_at, done.delete_attempts) == (State.DONE, None, 1)
    lines = [(line.step, line.outcome) for line in journal.history(done.seq)]
    assert lines == [(Step.HANDLE, "ok"), (Step.DELETE, "ok"), (Step.REPLAY, "replayed"), (Step.HANDLE, "ok")]


def test_a_message_that_never_left_the_inbox_leaves_it(journal: Journal) -> None:
    """It was done while the account had no inbox: after a replay it is deleted like any other."""
    journal.record(entry(1))
    journal.settle([ended(claim, State.DONE) for claim in journal.claim(9, LEASE)])
    assert replay(journal, Selection()) == (1, 0)
    handle(journal)
    assert empty_inbox(journal) == 1


def test_only_what_is_done_is_replayed(journal: Journal) -> None:
    """Neither what waits, is to be deleted or is dead, nor a test, nor what was erased; filters hold."""
    event = MessageEvent(account="EX0000002", id="e1")
    journal.record_all([Entry(event, START), entry(1), entry(2), entry(3), entry(4)])
    claims = journal.claim(4, LEASE)
    states = [State.DONE, State.DONE, State.HANDLED, State.DEAD]
    moments = [None, None, START, None]
    journal.settle([ended(*each) for each in zip(claims, states, moments, strict=True)])
    journal.record(Entry(replace(message(9), id=f"{TEST_ID}1"), START))
    assert count_replayable(journal, Selection(account="EX0000002")) == (1, 0)
    assert count_replayable(journal, Selection(message_id=message(1).id.upper())) == (1, 0)
    assert count_replayable(journal, Selection(key=entry(4).notification.key)) == (0, 0)
    journal.erasures.erase(Trace(f"+{ANN}"))
    assert replay(journal, Selection()) == (1, 0)
    assert replay(journal, Selection()) == (0, 0)


def test_a_replay_in_parts_takes_each_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pushes wait for one part, not for all; in order of their arrival, one of an originator at a time."""
    monkeypatch.setattr("soap_handler.journal.operator.in_parts.ROWS_PER_STEP", 2)
    journal.record_all([entry(number) for number in range(5)])
    handle(journal)
    assert empty_inbox(journal) == 5
    assert replay(journal, Selection()) == (5, 5)
    assert [claim.key for claim in claim_in_order(journal)] == [message(0).key]


@pytest.mark.parametrize("state", [State.RECEIVED, State.DEAD])
def test_an_erased_replay_is_not_deleted_again(journal: Journal, state: State) -> None:
    """What waits or died after a replay is not in the inbox any more."""
    journal.record(entry(1))
    handle(journal)
    empty_inbox(journal)
    replay(journal, Selection())
    if state is State.DEAD:
        journal.settle([ended(claim, State.DEAD, error="no") for claim in journal.claim(9, LEASE)])
    journal.erasures.erase(Trace(f"+{ANN}"), inboxes=[ACCOUNT])
    assert only(journal).state is State.DONE
    assert empty_inbox(journal) == 0
