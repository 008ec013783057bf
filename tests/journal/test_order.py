"""The order of one originator: on both engines, in threads and in processes."""

from __future__ import annotations

import contextlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text

from soap_handler.clock import QueueClock
from soap_handler.journal import Entry, Journal, Selection, Settlement, State, Step
from soap_handler.journal.claim import ClaimRequest, claim
from soap_handler.journal.databases.engine import open_engine
from soap_handler.journal.execute import PLAIN
from soap_handler.journal.insert import record
from soap_handler.journal.order import BLOCKED_RECHECK
from soap_handler.journal.settle import settle
from soap_handler.notifications import MessageEvent, MessageReceived, SubscriptionEvent
from tests.journal.entries import ANN, BOB, LEASE, START, Clock, bodies, claim_in_order, ended, message
from tests.support import fork_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from soap_handler.journal import Claim
    from tests.journal.engines import PostgreSQL
    from tests.journal.ways import Way


def store(journal: Journal, number: int, originator: str = ANN, account: str = "EX0000001") -> MessageReceived:
    told = message(number, account, originator)
    assert journal.record(Entry(told, START))
    return told


# -- one after the other -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [State.HANDLED, State.DONE, State.DEAD])
def test_the_next_one_starts_when_the_previous_one_has_ended(journal: Journal, clock: Clock, end: State) -> None:
    """Not before it is handled or dead, and then at once."""
    for number in range(3):
        store(journal, number)
    for number in range(3):
        claims = claim_in_order(journal)
        assert bodies(claims) == [str(number)]
        assert claim_in_order(journal) == []
        journal.settle([ended(claims[0], end, START if end is State.HANDLED else None)])
        clock.forward(1)


def test_results_of_many_originators_at_once_let_the_next_of_each_start(journal: Journal, clock: Clock) -> None:
    """When several end in one transaction, the next one of every originator has its turn, and only that one."""
    numbers = range(120)
    for number in numbers:
        store(journal, number, f"4477009{number % 40:05d}")
    first = claim_in_order(journal, 200)
    assert bodies(first) == [str(number) for number in numbers[:40]]
    clock.forward(1)
    journal.settle([ended(each, State.DONE) for each in first])
    clock.forward(1)
    assert sorted(bodies(claim_in_order(journal, 200)), key=int) == [str(number) for number in numbers[40:80]]


def test_a_back_off_holds_up_those_behind_it_and_nobody_else(journal: Journal, clock: Clock) -> None:
    """The one that failed goes again first; others are not concerned."""
    store(journal, 1)
    store(journal, 2)
    (first,) = claim_in_order(journal)
    journal.settle([ended(first, State.RECEIVED, clock() + timedelta(seconds=30), "broken")])
    store(journal, 3, BOB)
    store(journal, 4, ANN, "EX0000002")
    assert sorted(bodies(claim_in_order(journal))) == ["3", "4"]
    clock.forward(30)
    assert bodies(claim_in_order(journal)) == ["1"]


def test_a_lease_that_ran_out_is_still_the_first(journal: Journal, clock: Clock) -> None:
    """Its process died: it is begun again before the next one is."""
    store(journal, 1)
    store(journal, 2)
    (first,) = claim_in_order(journal)
    clock.forward(61)
    (again,) = claim_in_order(journal)
    assert (again.key, again.attempts, again.is_suspect) == (first.key, 1, True)


def test_one_that_is_sent_round_again_waits_for_the_one_that_is_running(journal: Journal, clock: Clock) -> None:
    """It was stored first, but two of one originator never run at once."""
    store(journal, 1)
    store(journal, 2)
    (first,) = claim_in_order(journal)
    journal.settle([ended(first, State.DEAD, error="broken")])
    clock.forward(1)
    (second,) = claim_in_order(journal)
    assert journal.retry(Selection()) == 1
    assert claim_in_order(journal) == []
    journal.settle([ended(second, State.DONE)])
    clock.forward(1)
    assert bodies(claim_in_order(journal)) == ["1"]


def test_making_way_cuts_no_back_off_short(journal: Journal, clock: Clock) -> None:
    """Only what was blocked becomes due when another one ends."""
    store(journal, 1)
    store(journal, 2)
    (first,) = claim_in_order(journal)
    journal.settle([ended(first, State.DEAD, error="broken")])
    clock.forward(1)
    (second,) = claim_in_order(journal)
    journal.settle([ended(second, State.RECEIVED, clock() + timedelta(seconds=300), "broken")])
    journal.retry(Selection())
    (first,) = claim_in_order(journal)
    journal.settle([ended(first, State.DONE)])
    assert claim_in_order(journal) == []
    assert journal.next_handling() == START + timedelta(seconds=301)


def test_a_claim_that_is_given_back_stays_first(journal: Journal) -> None:
    """Work that was not begun has not ended either."""
    store(journal, 1)
    store(journal, 2)
    journal.release(claim_in_order(journal), Step.HANDLE)
    assert bodies(claim_in_order(journal)) == ["1"]


def test_what_has_no_originator_has_no_order(journal: Journal) -> None:
    """Events and errors of messages that we sent are handled side by side."""
    for number in range(3):
        journal.record(Entry(MessageEvent(account="EX0000001", id=str(number)), START))
        journal.record(Entry(MessageReceived(account="EX0000001", id=f"9{number}"), START))
    assert len(claim_in_order(journal)) == 6


def test_a_subscription_event_takes_part_by_its_number(journal: Journal, clock: Clock) -> None:
    """What one person did is handled in the order in which it came, whatever its kind."""
    journal.record(Entry(SubscriptionEvent(account="EX0000001", mobile_number=ANN, contact_id="a"), START))
    store(journal, 1)
    (event,) = claim_in_order(journal)
    assert event.kind == "SubscriptionEvent"
    assert claim_in_order(journal) == []
    journal.settle([ended(event, State.DONE)])
    clock.forward(1)
    assert bodies(claim_in_order(journal)) == ["1"]


def test_without_order_all_are_claimed(journal: Journal) -> None:
    """Switched off, also what was blocked before comes, at the latest when it would be examined again."""
    for number in range(3):
        store(journal, number)
    assert len(journal.claim(9, LEASE)) == 3


def test_nothing_is_blocked_for_ever(journal: Journal, clock: Clock, url: str) -> None:
    """Even if the first one goes without a word, the next one is found after the parking time."""
    first = store(journal, 1)
    store(journal, 2)
    claim_in_order(journal)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM notification WHERE key = :key"), {"key": first.key})
    engine.dispose()
    assert claim_in_order(journal) == []
    clock.moment += BLOCKED_RECHECK
    assert bodies(claim_in_order(journal)) == ["2"]


# -- threads and processes ---------------------------------------------------------------------------------------------

ORIGINATORS, EACH = 4, 12


def work(journal: Journal, trace: Path, until: float) -> None:
    """Claim, write down each begin and end, and settle, until everything is handled."""
    while journal.next_handling() is not None and time.monotonic() < until:
        claims = claim_in_order(journal, 3)
        if not claims:
            time.sleep(0.01)  # between two polls
        for each in claims:
            told = each.notification
            assert isinstance(told, MessageReceived)
            note(trace, f"{told.originator} begin {told.body}")
            failed = each.attempts == 1 and int(told.body) % 7 == 0
            note(trace, f"{told.originator} end {told.body} {failed}")
            due = journal.now() if failed else None
            state, error = (State.RECEIVED, "broken") if failed else (State.DONE, None)
            journal.settle([Settlement(each, Step.HANDLE, state, due, each.leased_at, journal.now(), error)])


def note(trace: Path, line: str) -> None:
    with trace.open("a") as file:  # one short write to a file opened for appending is one line
        file.write(f"{line}\n")


def share(url: str, trace: Path) -> None:
    with Journal(url) as journal, ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: work(journal, trace, time.monotonic() + 60), range(3)))


def test_threads_and_processes_keep_the_order(url: str, tmp_path: Path, way: Way) -> None:
    """Three threads in each of two processes, while messages still come in: never two at once, and all in order."""
    trace = tmp_path / "trace"
    with Journal(url, **way) as journal:
        for number in range(ORIGINATORS * EACH // 2):
            store(journal, number, f"44770090000{number % ORIGINATORS}")
        with ThreadPoolExecutor(2) as both:
            started = [both.submit(fork_server.run, "tests.journal.test_order", url, str(trace)) for _ in range(2)]
            store_rest(journal)
        ended_ones = [each.result() for each in started]
        work(journal, trace, time.monotonic() + 60)
        assert [process.returncode for process in ended_ones] == [0, 0], ended_ones
        assert {record.state for record in journal.records(Selection())} == {State.DONE}
    check(trace.read_text().splitlines())


def store_rest(journal: Journal) -> None:
    for number in range(ORIGINATORS * EACH // 2, ORIGINATORS * EACH):
        store(journal, number, f"44770090000{number % ORIGINATORS}")


def check(lines: list[str]) -> None:
    """Of each originator: begin, end, begin, end; the numbers rise, but for those that failed and came again."""
    for originator in range(ORIGINATORS):
        own = [line.split()[1:] for line in lines if line.startswith(f"44770090000{originator} ")]
        assert [each[0] for each in own] == ["begin", "end"] * (len(own) // 2)
        assert all(begin[1] == end[1] for begin, end in zip(own[::2], own[1::2], strict=True))
        handled = [int(end[1]) for end in own[1::2] if end[2] == "False"]
        assert handled == sorted(handled)
        assert len(handled) == EACH
        begun = [int(end[1]) for end in own[1::2]]
        assert begun == sorted(begun)


# -- what it costs -----------------------------------------------------------------------------------------------------

QUEUE = """
    INSERT INTO notification
        (key, account, kind, state, source, originator, payload, received_at, due_at, attempts, delete_attempts)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
    SELECT 'EX0000001/MessageReceived/' || i, 'EX0000001', 'MessageReceived', 'received', 'push', '447700900001',
        '{"account":"EX0000001","id":"1"}', i, i, 0, 0 FROM n
"""
"""So many messages of one originator that wait."""


def queue(url: str, rows: int) -> None:
    Journal(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(QUEUE), {"rows": rows})
    engine.dispose()


def steps_of_claims(url: str, count: int) -> list[int]:
    """Count the steps of SQLite's machine in each of some claims, the first of the queue being settled in between."""
    engine = open_engine(url)
    taken = []
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        for number in range(count):
            now = START + timedelta(milliseconds=number)
            request = ClaimRequest(Step.HANDLE, f"me:{number}", now, LEASE, 4, in_order=True)
            steps: list[int] = []
            driver.set_progress_handler(lambda steps=steps: steps.append(1), 10)
            (claims,) = claim(connection, [request])
            settle(connection, [[ended(each, State.DONE) for each in claims]])
            driver.set_progress_handler(None, 1)
            taken.append(10 * len(steps))
    engine.dispose()
    return taken


def test_a_long_queue_of_one_originator_does_not_make_claims_dear(tmp_path: Path) -> None:
    """Each claim is bounded; once all are blocked, it costs the same with a hundred behind and with ten thousand."""
    steady = {}
    for rows in (100, 10_000):
        queue(f"sqlite:///{tmp_path / str(rows)}.db", rows)
        taken = steps_of_claims(f"sqlite:///{tmp_path / str(rows)}.db", 60)
        assert max(taken) < 300_000, "a claim blocks some hundreds at most"
        steady[rows] = max(taken[-20:])
    assert steady[10_000] < steady[100] * 1.5
    assert steady[10_000] < 2000


def test_other_originators_are_not_held_up_by_a_long_queue(url: str, way: Way) -> None:
    """A message behind ten thousand of another originator is claimed within a few looks, all blocked in passing."""
    queue(url, 10_000)
    with Journal(url, **way) as journal:
        assert journal.record(Entry(message(1, originator=BOB), START))
        began = time.monotonic()
        found: list[Claim] = []
        looks = 0
        while not any(each.notification.body == "1" for each in found):  # type: ignore[union-attr] # all are messages
            found += claim_in_order(journal, 4)
            looks += 1
        assert looks < 25
        assert time.monotonic() - began < 5


@contextlib.contextmanager
def other_host(url: str, clock: Clock, way: Way) -> Iterator[Engine]:
    """Open the database as the journal of another host does."""
    engine = open_engine(url, way.get("execute", PLAIN), QueueClock(clock))
    yield engine
    engine.dispose()


def test_two_hosts_never_start_two_of_one_originator(postgresql: PostgreSQL, way: Way) -> None:
    """While another host looks at the first one in a transaction, neither it nor the next one is given out."""
    url, clock = postgresql.empty_journal(), Clock()
    with Journal(url, clock=clock, **way) as journal, other_host(url, clock, way) as host:
        store(journal, 1)
        store(journal, 2)
        with host.connect() as other:
            (theirs,) = claim(other, [ClaimRequest(Step.HANDLE, "other", START, LEASE, 1, in_order=True)])
            assert bodies(theirs) == ["1"]
            assert claim_in_order(journal) == []
            other.rollback()
        clock.forward(1)
        assert bodies(claim_in_order(journal)) == ["1"]


def test_one_that_was_committed_late_does_not_start_beside_its_successor(postgresql: PostgreSQL, way: Way) -> None:
    """Its number is lower, but the next one was seen, and begun by another host, before it was there."""
    url, clock = postgresql.empty_journal(), Clock()
    with Journal(url, clock=clock, **way) as journal, other_host(url, clock, way) as host:
        with host.connect() as late, host.connect() as other:
            record(late, [Entry(message(1), START)])
            store(journal, 2)
            (theirs,) = claim(other, [ClaimRequest(Step.HANDLE, "other", START, LEASE, 1, in_order=True)])
            assert bodies(theirs) == ["2"]
            late.commit()
            assert claim_in_order(journal) == []
            other.commit()
        clock.forward(1)
        assert claim_in_order(journal) == []
        journal.settle([ended(theirs[0], State.DONE)])
        clock.forward(1)
        assert bodies(claim_in_order(journal)) == ["1"]


def test_no_row_is_blocked_behind_one_that_is_just_ending(postgresql: PostgreSQL, way: Way) -> None:
    """While the first one is settled in an open transaction, the next one is only put off for a moment."""
    url, clock = postgresql.empty_journal(), Clock()
    with Journal(url, clock=clock, **way) as journal, other_host(url, clock, way) as host:
        store(journal, 1)
        (first,) = claim_in_order(journal)
        with host.connect() as other:
            settle(other, [[ended(first, State.DONE)]])
            store(journal, 2)
            assert claim_in_order(journal) == []
            other.commit()
        clock.forward(0.1)
        assert bodies(claim_in_order(journal)) == ["2"]


if __name__ == "__main__":  # one of the two processes
    share(sys.argv[1], Path(sys.argv[2]))
