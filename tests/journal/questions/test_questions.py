"""What the journal says of the whole service, on both engines: the same in every state, and at one moment."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from soap_handler.journal import (
    Beginning,
    Entry,
    Journal,
    Refusal,
    Selection,
    Settlement,
    Source,
    State,
    Step,
    Tally,
    questions,
)
from soap_handler.journal.questions import Pace
from soap_handler.journal.schema import attempt
from tests.journal.entries import ANN, BOB, LEASE, START, Clock, ended, entry, message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.journal import Claim


@pytest.fixture
def journal(url: str, clock: Clock) -> Iterator[Journal]:
    """Open one in the plain way: all of this is the same with the fast path."""
    with Journal(url, clock=clock) as opened:
        yield opened


def store(journal: Journal, *numbers: int, source: Source = Source.PUSH) -> None:
    """Store messages, each of an originator of its own."""
    journal.record_all(
        [Entry(message(each, originator=f"4477009{each:05}"), journal.now(), source) for each in numbers]
    )


def claims(journal: Journal, limit: int = 99) -> list[Claim]:
    return journal.claim(limit, LEASE)


def dies(claim: Claim, error: str) -> Settlement:
    return ended(claim, State.DEAD, error=error)


def test_states_are_counted_as_the_records_say(journal: Journal) -> None:
    """Of each state, also where there is none of it."""
    assert set(journal.read(questions.states).values()) == {0}
    store(journal, *range(10))
    first, second, third, *rest = claims(journal, 6)
    journal.settle([dies(first, "no"), ended(second, State.DONE), ended(third, State.HANDLED, START)])
    journal.release(rest, Step.HANDLE)
    counted = journal.read(questions.states)
    assert counted == {State.RECEIVED: 7, State.HANDLED: 1, State.DONE: 1, State.DEAD: 1}
    assert Counter(record.state for record in journal.records(Selection())) == +Counter(counted)
    assert sum(journal.counts().values()) == sum(counted.values())


def test_what_waits_is_told_by_what_it_waits_for(journal: Journal, clock: Clock) -> None:
    """Due, in work, behind another of its originator, and for a retry; the oldest is the one that was stored first."""
    seen = questions.overview(journal)
    assert (seen.handling.count, seen.handling.oldest_at) == (0, None)
    for number in range(3):  # the second and the third wait behind the first
        journal.record(Entry(message(number, originator=ANN), START))
    for number in range(3, 5):
        journal.record(Entry(message(number, originator=f"{BOB}{number}"), START))
    working, retried, due = journal.claim(99, LEASE, in_order=True)
    journal.settle([ended(retried, State.RECEIVED, START + LEASE, error="no")])
    journal.release([due], Step.HANDLE)
    clock.forward(10)
    seen = questions.overview(journal)
    handling = seen.handling
    assert (handling.count, handling.due, handling.in_work, handling.behind, handling.later) == (5, 1, 1, 2, 1)
    assert (handling.oldest_at, handling.oldest_key) == (START, working.key)
    journal.settle([ended(working, State.HANDLED, START)])
    seen = questions.overview(journal)
    assert (seen.deleting.count, seen.deleting.due, seen.deleting.oldest_at) == (1, 1, START)
    assert len(journal.claim_deletions("EX0000001", 9)) == 1
    assert questions.overview(journal).deleting.in_work == 1


def test_what_was_sent_round_again_has_not_waited_since_it_was_stored(journal: Journal, clock: Clock) -> None:
    """By a person or by a reconciliation, until it is tried; what is paused or lost has waited all the time."""

    def again() -> tuple[bool, bool]:
        seen = questions.overview(journal)
        return seen.handling.oldest_is_again, seen.deleting.oldest_is_again

    store(journal, 0)
    assert again() == (False, False)
    [claim] = claims(journal)
    clock.forward(LEASE.total_seconds() + 1)
    [claim] = claims(journal)  # the lease before was lost
    assert again() == (False, False)
    journal.settle([Settlement(claim, Step.HANDLE, State.RECEIVED, START, START, START, "no", uncalled="paused")])
    assert again() == (False, False)
    journal.settle([dies(claims(journal)[0], "no")])
    journal.retry(Selection())
    assert again() == (True, False)
    journal.settle([ended(claims(journal)[0], State.RECEIVED, START, error="no")])
    assert again() == (False, False)
    journal.settle([ended(claims(journal)[0], State.HANDLED, START)])
    assert again() == (False, False)
    journal.settle_deleted(journal.claim_deletions("EX0000001", 9))
    assert journal.delete_again([claim.key], clock.forward(60)) == 1
    assert again() == (False, True)


def test_the_pace_is_that_of_the_last_minutes(journal: Journal, clock: Clock) -> None:
    """What was stored, handled and deleted, and what failed; nothing of before."""
    store(journal, 0, 1)
    clock.forward(3600)
    store(journal, 2, 3, 4)
    store(journal, 5, source=Source.INBOX)
    first, second, *others = claims(journal)
    moment = clock.moment
    journal.settle(
        [
            Settlement(first, Step.HANDLE, State.HANDLED, moment, moment, moment),
            Settlement(second, Step.HANDLE, State.RECEIVED, moment, moment, moment, "no"),
        ]
    )
    journal.release(others, Step.HANDLE)
    journal.settle_deleted(journal.claim_deletions("EX0000001", 9))
    pace = questions.overview(journal).pace
    counted = [pace.pushed, pace.recovered, pace.handled, pace.failed, pace.deleted, pace.delete_failed]
    assert [flow.count for flow in counted] == [3, 1, 1, 1, 1, 0]
    assert pace.pushed.per_minute == pytest.approx(3 / 5)
    clock.forward(3600)
    assert questions.overview(journal).pace.handled.count == 0


def test_under_load_the_pace_is_that_of_the_latest(
    journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No look back reads more than so many rows: where these span less than the window, the time is theirs."""
    monkeypatch.setattr(sys.modules[Pace.__module__], "REACH", (2, 10))
    for number in range(60):
        store(journal, number)
        clock.forward(1)
    pushed = questions.overview(journal).pace.pushed
    assert (pushed.count, pushed.seconds, pushed.per_minute) == (10, 10.0, 60.0)


def test_the_dead_are_grouped_by_their_last_error(journal: Journal) -> None:
    """The most frequent first, each with the latest as an example; another push after the death changes nothing."""
    store(journal, *range(5))
    first, second, third, fourth, _ = claims(journal)
    journal.settle([ended(first, State.RECEIVED, START, error="at first")])
    [first] = claims(journal, 1)
    journal.settle([dies(first, "so"), dies(second, "so"), dies(third, "not so"), dies(fourth, "so")])
    journal.read(lambda _: None)
    assert [(each.error, each.count, each.key) for each in questions.overview(journal).deaths] == [
        ("so", 3, fourth.key),
        ("not so", 1, third.key),
    ]
    (limited,) = journal.read(lambda connection: questions.by_error(connection, State.DEAD, 1))
    assert (limited.error, limited.count) == ("so", 1), "of very many, the latest"


def test_processes_are_known_by_their_leases_and_their_last_attempts(journal: Journal, url: str, clock: Clock) -> None:
    """Each by its host and number, with how much it has in work; what a person did is no process."""
    assert questions.overview(journal).processes == []
    store(journal, *range(3))
    with Journal(url, clock=clock) as other:
        (done,) = other.claim(1, LEASE)
        other.settle([dies(done, "no")])
        other.claim(1, LEASE)
    by_hand = {
        "step": "replay",
        "started_at": START,
        "ended_at": START,
        "outcome": "replayed",
        "owner": "journal replay",
    }
    journal.committer.submit(
        lambda connection, rows: [connection.execute(insert(attempt), row) and None for row in rows],
        {"seq": done.seq, **by_hand},
    ).result()
    (process,) = questions.overview(journal).processes
    assert (process.pid, process.in_work) == (int(done.owner.split(":")[1]), 1)
    assert process.last_at == START + timedelta(seconds=1)
    clock.forward(LEASE.total_seconds() + 1)
    assert questions.overview(journal).processes[0].in_work == 0, "its lease has run out"


def test_a_paused_delivery_is_seen_until_the_next(journal: Journal) -> None:
    """A circuit breaker is in the memory of a process; what it kept from being tried is in the history."""
    store(journal, 0, 1)
    first, second = claims(journal)
    paused = Settlement(first, Step.HANDLE, State.RECEIVED, START + LEASE, START, START, "HTTP 503", uncalled="paused")
    journal.settle([paused])
    (delivery,) = questions.overview(journal).deliveries
    assert (delivery.account, delivery.is_paused, delivery.error) == ("EX0000001", True, "HTTP 503")
    journal.settle([ended(second, State.DONE)])
    (delivery,) = questions.overview(journal).deliveries
    assert (delivery.outcome, delivery.is_paused) == ("ok", False)


def test_a_refused_inbox_is_told_since_when(journal: Journal, clock: Clock) -> None:
    """Since the first refusal in a row, whatever came after it; a first try whose end is not known is no refusal."""
    journal.gates.enter("EX2", "1", LEASE, LEASE)
    for refusals in (1, 2):
        retry_at = journal.gates.moment_in(60)
        journal.gates.refuse(Refusal("EX1", refusals, retry_at, "hash", "HTTP 401"))
        clock.forward(60)
    (inbox,) = questions.overview(journal).inboxes
    assert (inbox.account, inbox.refusals, inbox.since, inbox.reason) == ("EX1", 2, START, "HTTP 401")
    assert inbox.retry_at == START + timedelta(seconds=120)
    journal.gates.accept("EX1")
    journal.gates.refuse(Refusal("EX1", 1, retry_at, "hash", "HTTP 401"))
    assert questions.overview(journal).inboxes[0].since == START + timedelta(seconds=120)


def test_the_last_reconciliation_of_each_account(journal: Journal, clock: Clock) -> None:
    """The last one that came to an end, whatever is under way."""
    for account, tally in (("EX1", Tally(3, 2, 0, 1)), ("EX1", Tally(9, 4, 0, 5)), ("EX2", Tally())):
        number = journal.begin_reconciliation(Beginning(account, clock.forward(1)))
        assert number is not None
        journal.end_reconciliation(number, tally, None)
    journal.begin_reconciliation(Beginning("EX1", clock.forward(1)))
    runs = questions.overview(journal).reconciliations
    assert [(run.account, run.tally.inbox, run.tally.known, run.tally.recovered) for run in runs] == [
        ("EX1", 9, 5, 4),
        ("EX2", 0, 0, 0),
    ]


def test_the_size_grows(journal: Journal) -> None:
    """In bytes, as far as the engine says; the number of the last one that was stored is no part of it."""
    seen = questions.overview(journal)
    assert seen.size > 10_000
    assert seen.last_stored_at is None
    journal.record_all([entry(number) for number in range(500)])
    seen = questions.overview(journal)
    assert seen.size > 100_000
    assert seen.last_stored_at == START


def test_what_happens_is_told_once_and_in_order(journal: Journal) -> None:
    """Stored and attempted: the last ones first of all, and then what is new."""
    store(journal, 0, 1)
    shown, told = journal.read(lambda connection: questions.latest(connection, 1))
    assert [change.key for change in shown] == [message(1).key]
    assert journal.read(lambda connection: questions.news(connection, told)) == []
    store(journal, 2)
    first, *_ = claims(journal, 1)
    journal.settle([dies(first, "no")])
    new = journal.read(lambda connection: questions.news(connection, told))
    assert [(change.key, change.step, change.outcome, change.error) for change in new] == [
        (message(2).key, None, "push", None),
        (first.key, Step.HANDLE, "failed", "no"),
    ]
    assert journal.read(lambda connection: questions.news(connection, told)) == []
    nothing, _ = journal.read(lambda connection: questions.latest(connection, 0))
    assert nothing == []


def test_all_is_seen_at_one_moment(journal: Journal, url: str, clock: Clock) -> None:
    """What another process commits between two of the questions is in neither."""
    store(journal, 0)

    def look(connection: object) -> tuple[int, int]:
        questions.consistently(connection)  # type: ignore[arg-type] # read gives one
        before = sum(questions.states(connection).values())  # type: ignore[arg-type]
        with Journal(url, clock=clock) as other:
            other.record(Entry(replace(message(1)), START))
        return before, sum(questions.states(connection).values())  # type: ignore[arg-type]

    assert journal.read(look) == (1, 1)
    assert sum(journal.read(questions.states).values()) == 2
