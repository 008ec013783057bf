"""The verbs of the journal, each rule on each engine."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Attempt, Entry, Journal, Selection, Settlement, State, Step
from soap_handler.journal.claim import ClaimRequest
from soap_handler.journal.claim import claim as claim_verb
from soap_handler.journal.scope import Rule, Scope
from soap_handler.notifications import Kind, SubscriptionEvent
from tests.journal.engines import writers_held_up
from tests.journal.entries import LEASE, START, Clock, bodies, ended, entry, message, only

if TYPE_CHECKING:
    from tests.journal.ways import Way


def second(number: float) -> datetime:
    return START + timedelta(seconds=number)


def test_a_message_is_received_handled_and_done(journal: Journal, clock: Clock) -> None:
    """The whole life: stored, handled, deleted, each step with its time and its attempt."""
    assert journal.record(entry(1))
    stored = only(journal)
    assert (stored.state, stored.received_at, stored.due_at, stored.leased) == (State.RECEIVED, START, START, False)
    clock.forward(5)
    (claim,) = journal.claim(10, LEASE)
    assert (claim.attempts, claim.notification, claim.leased_at) == (1, message(1), second(5))
    assert journal.settle([ended(claim, State.HANDLED, second(6))]) == [True]
    assert (only(journal).state, only(journal).handled_at) == (State.HANDLED, second(6))
    clock.forward(5)
    (deletion,) = journal.claim_deletions("EX0000001", 10)
    journal.settle_deleted([deletion])
    done = only(journal)
    assert (done.state, done.handled_at, done.done_at, done.due_at) == (State.DONE, second(6), second(10), None)
    assert (done.attempts, done.delete_attempts, done.leased) == (1, 1, False)
    assert journal.history(done.seq) == [
        Attempt(Step.HANDLE, second(5), second(6), "ok", None, claim.owner),
        Attempt(Step.DELETE, second(10), second(10), "ok", None, deletion.owner),
    ]
    assert [key for key, _ in journal.attempts()] == [done.key, done.key]


def test_nothing_is_due_when_all_is_done(journal: Journal) -> None:
    """What is done is never claimed again, neither for its handler nor for its delete."""
    journal.record(entry(1))
    (claim,) = journal.claim(10, LEASE)
    journal.settle([ended(claim, State.DONE)])
    assert journal.claim(10, LEASE) == []
    assert journal.claim_deletions("EX0000001", 10) == []
    assert journal.next_handling() is None
    assert journal.next_deletions().get("EX0000001") is None


def test_a_state_change_and_its_attempt_are_one_transaction(journal: Journal, url: str) -> None:
    """When the attempt cannot be written, the notification does not move either."""
    journal.record(entry(1))
    (claim,) = journal.claim(1, LEASE)
    rename(url, "attempt", "elsewhere")
    with pytest.raises(JournalUnavailableError):
        journal.settle([ended(claim, State.DONE)])
    rename(url, "elsewhere", "attempt")
    assert only(journal).state is State.RECEIVED
    assert only(journal).leased
    assert journal.settle([ended(claim, State.DONE)]) == [True]
    assert [attempt.outcome for attempt in journal.history(claim.seq)] == ["ok"]


def rename(url: str, table: str, name: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO {name}"))
    engine.dispose()


def test_a_failed_attempt_is_due_after_its_back_off(journal: Journal, clock: Clock) -> None:
    """A retry waits until it is due, and counts."""
    journal.record(entry(1))
    (claim,) = journal.claim(1, LEASE)
    journal.settle([ended(claim, State.RECEIVED, second(30), "ValueError: no")])
    assert journal.next_handling() == second(30)
    assert journal.claim(1, LEASE) == []
    clock.forward(30)
    (again,) = journal.claim(1, LEASE)
    assert again.attempts == 2
    assert [(one.outcome, one.error) for one in journal.history(claim.seq)] == [("failed", "ValueError: no")]


def test_a_failed_delete_is_due_again_and_never_runs_the_handler(journal: Journal, clock: Clock) -> None:
    """Handling and deleting are two facts with retries of their own."""
    journal.record(entry(1))
    (claim,) = journal.claim(1, LEASE)
    journal.settle([ended(claim, State.HANDLED, START)])
    (deletion,) = journal.claim_deletions("EX0000001", 1)
    journal.settle_delete_failed([deletion], "timeout", second(20))
    assert journal.next_deletions().get("EX0000001") == second(20)
    assert journal.claim_deletions("EX0000001", 1) == []
    clock.forward(20)
    assert journal.claim(1, LEASE) == []
    (deletion,) = journal.claim_deletions("EX0000001", 1)
    assert (deletion.attempts, only(journal).attempts) == (2, 1)


# -- duplicates --------------------------------------------------------------------------------------------------------


def test_a_later_duplicate_changes_nothing(journal: Journal, clock: Clock) -> None:
    """A copy is a success, and the row stays as it was, whatever the state."""
    journal.record(entry(1))
    for settle_as in (None, State.HANDLED, State.DEAD):
        if settle_as:
            (claim,) = journal.claim(1, LEASE)
            journal.settle([ended(claim, settle_as, START if settle_as is State.HANDLED else None)])
        before = only(journal)
        assert not journal.record(entry(1, clock.forward(1)))
        assert only(journal) == before
        journal.retry(Selection())
        if settle_as is State.HANDLED:
            break


def test_of_equals_in_one_transaction_the_first_is_stored(journal: Journal, url: str) -> None:
    """Copies that share a commit: one of them is new, and it is the one that came first."""
    with writers_held_up(url):
        commits = [journal.submit(entry(1, second(number))) for number in range(5)]
    assert sum(journal.wait(commit) for commit in commits) == 1
    assert only(journal).received_at == START


def test_many_entries_at_once_are_each_answered_rightly(journal: Journal) -> None:
    """New ones, known ones and equals in one transaction, of more rows than one statement takes."""
    journal.record_all([entry(number) for number in range(0, 100, 3)])
    numbers = [*range(100), *range(50, 110)]
    expected = [number % 3 != 0 for number in range(100)] + [number >= 100 for number in range(50, 110)]
    assert journal.record_all([entry(number) for number in numbers]) == expected
    assert len(journal.records(Selection())) == 110


def test_messages_of_two_accounts_are_two(journal: Journal) -> None:
    """The account is a part of the identity."""
    assert journal.record(entry(1, account="EX0000001"))
    assert journal.record(entry(1, account="EX0000002"))


# -- leases ------------------------------------------------------------------------------------------------------------


def test_a_lease_keeps_others_away_until_it_runs_out(journal: Journal, url: str, clock: Clock, way: Way) -> None:
    """A claim is a lease with an owner and an expiry; after that it is due again, and the loss is in the history."""
    journal.record(entry(1))
    with Journal(url, clock=clock, **way) as other:
        (mine,) = journal.claim(1, LEASE)
        assert only(journal).due_at == START + LEASE
        clock.forward(59)
        assert other.claim(1, LEASE) == []
        clock.forward(1)
        (theirs,) = other.claim(1, LEASE)
    assert (theirs.owner == mine.owner, theirs.attempts, theirs.is_suspect) == (False, 1, True)
    (lost,) = journal.history(mine.seq)
    assert (lost.outcome, lost.owner, lost.started_at, lost.ended_at) == ("lost", mine.owner, START, START + LEASE)
    assert lost.error


def test_a_late_settling_is_refused_and_noted(journal: Journal, clock: Clock) -> None:
    """Whoever lost the lease changes nothing; that it ended late stands in the history."""
    journal.record(entry(1))
    (late,) = journal.claim(1, LEASE)
    clock.forward(60)
    (now,) = journal.claim(1, LEASE)
    assert journal.settle([ended(late, State.DONE)]) == [False]
    assert only(journal).state is State.RECEIVED
    assert journal.settle([ended(now, State.DONE)]) == [True]
    assert journal.settle([ended(now, State.DEAD)]) == [False]
    assert only(journal).state is State.DONE
    assert [one.outcome for one in journal.history(now.seq)] == ["lost", "ok, too late", "ok", "ok, too late"]


def test_a_lease_that_ran_out_unnoticed_can_still_be_settled(journal: Journal, clock: Clock) -> None:
    """As long as nobody else claimed it, the result counts."""
    journal.record(entry(1))
    (claim,) = journal.claim(1, LEASE)
    clock.forward(600)
    assert journal.settle([ended(claim, State.DONE)]) == [True]


def test_a_claim_settled_twice_in_one_transaction_counts_once(journal: Journal, url: str) -> None:
    """The first settling ends the lease, even within a batch."""
    journal.record(entry(1))
    (claim,) = journal.claim(1, LEASE)
    with writers_held_up(url):
        commits = [journal.submit_settlements([ended(claim, state)]) for state in (State.DONE, State.DEAD)]
    assert [commit.result() for commit in commits] == [[True], [False]]
    assert only(journal).state is State.DONE


@pytest.mark.parametrize("count", [1, 2, 3, 15, 16, 17, 70])
def test_many_results_at_once_each_keep_their_own(journal: Journal, count: int) -> None:
    """However many results share a statement, each row gets its own state, instants and due time."""
    journal.record_all([entry(number) for number in range(count)])
    outcomes = itertools.cycle((State.HANDLED, State.DONE, State.DEAD, State.RECEIVED))
    expected, settlements = {}, []
    for number, (claim, state) in enumerate(zip(journal.claim(count, LEASE), outcomes, strict=False)):
        due = second(1000 + number) if state in {State.HANDLED, State.RECEIVED} else None
        error = "it broke" if state in {State.DEAD, State.RECEIVED} else None
        end = second(number)
        settlements.append(Settlement(claim, Step.HANDLE, state, due, START, end, error))
        handled = end if error is None else None
        expected[claim.key] = (state, due, handled, end if state is State.DONE else None, False, 1)
    assert journal.settle(settlements) == [True] * count
    assert seen(journal) == expected


@pytest.mark.parametrize("count", [2, 3, 70])
def test_results_that_are_alike_are_written_as_the_others_are(journal: Journal, count: int) -> None:
    """A batch of deletes ends in one instant; those of one call, and one that differs, each keep their own."""
    journal.record_all([entry(number) for number in range(count + 1)])
    claims = journal.claim(count + 1, LEASE)
    settlements = [Settlement(claim, Step.HANDLE, State.DONE, None, START, second(5)) for claim in claims[:count]]
    settlements.append(Settlement(claims[count], Step.HANDLE, State.HANDLED, second(9), START, second(6)))
    expected: dict[str, tuple[Any, ...]] = {
        claim.key: (State.DONE, None, second(5), second(5), False, 1) for claim in claims[:count]
    }
    expected[claims[count].key] = (State.HANDLED, second(9), second(6), None, False, 1)
    assert journal.settle(settlements) == [True] * (count + 1)
    assert seen(journal) == expected


def seen(journal: Journal) -> dict[str, tuple[Any, ...]]:
    """Return what a settlement changes, by key."""
    return {
        each.key: (each.state, each.due_at, each.handled_at, each.done_at, each.leased, each.attempts)
        for each in journal.records(Selection())
    }


def test_a_result_goes_before_a_claim_of_the_same_transaction(journal: Journal, url: str, clock: Clock) -> None:
    """What is settled in the same breath is not claimed again, although its lease is over."""
    journal.record(entry(1))
    (claim,) = journal.claim(1, LEASE)
    clock.forward(61)
    with writers_held_up(url):
        earlier = journal.committer.submit(claim_verb, request(Step.DELETE, clock, "nobody"))
        settled = journal.submit_settlements([ended(claim, State.DONE)])
        later = journal.committer.submit(claim_verb, request(Step.HANDLE, clock))
    assert (earlier.result(), settled.result(), later.result()) == ([], [True], [])


def request(step: Step, clock: Clock, account: str | None = None) -> ClaimRequest:
    return ClaimRequest(step, f"me:{step}", clock(), LEASE, 1, account)


def test_the_longest_due_is_claimed_first(journal: Journal, clock: Clock) -> None:
    """Claims follow the due times, not the order of storing; equals follow the order of storing."""
    for number in range(5):
        journal.record(entry(number))
    failed = [
        ended(each, State.RECEIVED, second(due), "no")
        for each, due in zip(journal.claim(5, LEASE), [30, 10, 20, 10, 99], strict=True)
    ]
    journal.settle(failed)
    clock.forward(50)
    claims = [journal.claim(3, LEASE), journal.claim(3, LEASE)]
    assert [[claim.notification.body for claim in batch] for batch in claims if batch] == [["1", "3", "2"], ["0"]]  # type: ignore[union-attr] # all are messages


def test_a_part_of_the_queue_is_claimed_since_an_instant(journal: Journal, clock: Clock) -> None:
    """One statement serves any instant; what other destinations have, and what is due before, stays."""
    journal.record_all([entry(0), entry(1, account="EX0000002")])
    clock.forward(10)
    journal.record_all([entry(2), entry(3, account="EX0000002")])
    scope = Scope(((Rule(frozenset({"MessageReceived", "MessageEvent"}), frozenset({"EX0000001", "EX9"})), True),))
    late = replace(scope, since=journal.queue_now() - timedelta(seconds=5))
    assert [claim.account for claim in journal.claim(9, LEASE, scope=late)] == ["EX0000001"]
    assert journal.next_handling(late) == journal.queue_now() + LEASE
    assert bodies(journal.claim(9, LEASE, scope=replace(scope, since=late.since and late.since - LEASE))) == ["0"]
    assert [claim.account for claim in journal.claim(9, LEASE)] == ["EX0000002"] * 2


def test_deletions_are_claimed_for_one_account(journal: Journal) -> None:
    """Each inbox is emptied on its own."""
    for number, account in enumerate(["EX0000001", "EX0000002"]):
        journal.record(entry(number, account=account))
    journal.settle([ended(claim, State.HANDLED, START) for claim in journal.claim(9, LEASE)])
    assert [claim.account for claim in journal.claim_deletions("EX0000002", 9)] == ["EX0000002"]
    assert journal.next_deletions().get("EX0000001") == START


def test_a_released_claim_was_no_attempt(journal: Journal) -> None:
    """Work that was not begun is due at once, and is not counted."""
    journal.record(entry(1))
    before = only(journal)
    claims = journal.claim(1, LEASE)
    journal.release(claims, Step.HANDLE)
    assert only(journal) == before
    assert journal.history(before.seq) == []
    (claim,) = journal.claim(1, LEASE)
    assert claim.attempts == 1


def test_releasing_what_was_lost_takes_nothing_away(journal: Journal, clock: Clock) -> None:
    """A lease that somebody else has now is not ours to give back."""
    journal.record(entry(1))
    late = journal.claim(1, LEASE)
    clock.forward(60)
    (now,) = journal.claim(1, LEASE)
    journal.release(late, Step.HANDLE)
    assert only(journal).leased
    assert journal.settle([ended(now, State.DONE)]) == [True]


def test_a_settlement_knows_no_third_way(journal: Journal) -> None:
    """Deleting settles on the delete's own count, handling on the handler's."""
    journal.record(entry(1))
    (claim,) = journal.claim(1, LEASE)
    journal.settle([Settlement(claim, Step.HANDLE, State.HANDLED, START, START, START)])
    record = only(journal)
    assert (record.attempts, record.delete_attempts) == (1, 0)


# -- the dead ----------------------------------------------------------------------------------------------------------


def test_the_dead_go_round_again_by_hand(journal: Journal, clock: Clock) -> None:
    """Dead is claimed no more until a person sends it round; then its attempts count from one."""
    for number in range(3):
        journal.record(entry(number))
    claims = journal.claim(9, LEASE)
    journal.settle([ended(claims[0], State.DEAD, error="x"), ended(claims[1], State.DEAD, error="x")])
    clock.forward(10)
    assert journal.claim(9, LEASE) == []
    assert journal.next_handling() == START + LEASE
    assert journal.retry(Selection(key=claims[0].key)) == 1
    assert journal.retry(Selection(key=claims[2].key)) == 0, "only the dead are sent round"
    (again,) = journal.claim(9, LEASE)
    assert (again.key, again.attempts) == (claims[0].key, 1)
    assert journal.retry(Selection(kind=Kind.MESSAGE_RECEIVED)) == 1
    assert len(journal.history(again.seq)) == 1, "its history stays"


# -- looking -----------------------------------------------------------------------------------------------------------


def test_records_are_selected_by_each_filter(journal: Journal) -> None:
    """State, kind, account, originator and key, alone and together; latest first, a page at a time."""
    journal.record(entry(1))
    journal.record(Entry(message(2, originator="SHOP"), second(1)))
    journal.record(Entry(SubscriptionEvent(account="EX0000002", mobile_number="447700900002"), second(2)))
    (claim,) = journal.claim(1, LEASE)
    journal.settle([ended(claim, State.DONE)])

    def found(selection: Selection) -> list[int]:
        return [int((record.received_at - START).total_seconds()) for record in journal.records(selection)]

    assert found(Selection()) == [2, 1, 0]
    assert found(Selection(state=State.DONE)) == [0]
    assert found(Selection(state=State.DEAD)) == []
    assert found(Selection(kind=Kind.SUBSCRIPTION_EVENT)) == [2]
    assert found(Selection(account="EX0000001")) == [1, 0]
    assert found(Selection(originator="SHOP")) == [1]
    assert found(Selection(originator="447700900002")) == [2]
    assert found(Selection(key=claim.key)) == [0]
    assert found(Selection(account="EX0000001", state=State.RECEIVED)) == [1]
    assert [record.seq for record in journal.records(Selection(), 1, 1)] == [2]
    assert journal.counts() == {
        (Kind.MESSAGE_RECEIVED, State.DONE): 1,
        (Kind.MESSAGE_RECEIVED, State.RECEIVED): 1,
        (Kind.SUBSCRIPTION_EVENT, State.RECEIVED): 1,
    }
