"""Clocks that are moved, and hosts whose clocks differ: nothing runs twice, nothing waits for the wrong time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from sqlalchemy import create_engine, text

from soap_handler import clock as clocks
from soap_handler.journal import Beginning, Entry, Journal, Selection, Settlement, State, Step, Tally, queue_clock
from soap_handler.journal import claim as claiming
from soap_handler.journal.retention import FLOOR, Retention
from tests.journal.entries import ANN, LEASE, START, Clock, bodies, claim_in_order, message
from tests.support.waiting import wait_for
from tests.support.wall_clock import WallClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from soap_handler.journal import Claim
    from tests.journal.engines import PostgreSQL
    from tests.journal.ways import Way

STEPS: Final = (
    {"seconds": 5},
    {"seconds": -5},
    {"seconds": 60},
    {"seconds": -60},
    {"hours": 1},
    {"hours": -1},
    {"days": 2},
    {"days": -2},
    {"days": 40},
)
ACCOUNT: Final = "EX0000001"


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    return WallClock(monkeypatch)


def record(journal: Journal, *numbers: int) -> None:
    for number in numbers:
        assert journal.record(Entry(message(number), clocks.now()))


def settle(journal: Journal, claims: list[Any], state: State, due_in: float = 0.0, error: str | None = None) -> None:
    due_at = None if state is State.DONE else journal.queue_now() + timedelta(seconds=due_in)
    now = clocks.now()
    assert all(journal.settle([Settlement(each, Step.HANDLE, state, due_at, now, now, error) for each in claims]))


def test_what_waits_is_due_after_a_step_and_what_is_leased_is_not(url: str, way: Way, wall: WallClock) -> None:
    """Stored before or after it, put off by a moment or blocked: the wall clock has no part in what is due."""
    with Journal(url, **way) as journal:
        for first, step in zip(range(0, 99, 3), STEPS, strict=False):
            record(journal, first, first + 1)
            (running,) = claim_in_order(journal)
            wall.step(**step)
            record(journal, first + 2)
            assert claim_in_order(journal) == [], "the first is running, and the others wait for it"
            settle(journal, [running], State.RECEIVED, error="it failed")
            (again,) = claim_in_order(journal)
            assert (bodies([again]), again.attempts) == ([str(first)], 2)
            wall.step(**step)
            settle(journal, [again], State.HANDLED)
            assert [claim.key for claim in journal.claim_deletions(ACCOUNT, 5)] == [message(first).key]
            for behind in (first + 1, first + 2):
                claims = claim_in_order(journal)
                assert bodies(claims) == [str(behind)]
                settle(journal, claims, State.DONE)


def test_processes_whose_wall_clocks_differ_share_one_time(url: str, way: Way, wall: WallClock) -> None:
    """Two hosts on PostgreSQL, or a worker that starts after a step: no lease of the other is taken for expired."""
    with Journal(url, **way) as first:
        for number, step in zip(range(0, 99, 2), STEPS, strict=False):
            record(first, number)
            (theirs,) = claimed(first)
            wall.step(**step)
            with Journal(url, **way) as second:
                assert second.claim(5, LEASE) == []
                record(second, number + 1)
                wall.step(**{unit: -count for unit, count in step.items()})
                (found,) = claimed(first)
                assert bodies([found]) == [str(number + 1)]
                assert abs(first.queue_now() - second.queue_now()) < timedelta(seconds=0.5)
                settle(first, [theirs, found], State.DONE)


@pytest.mark.parametrize("apart", [5, -5, 60, -60, 3600])
def test_hosts_whose_clocks_differ_keep_the_order(url: str, way: Way, wall: WallClock, apart: int) -> None:
    """What one of them stores first is handled first, by whichever; never two of an originator at once."""
    with Journal(url, **way) as first, Journal(url, **way) as second:
        record(first, 0)
        wall.step(seconds=apart)
        record(second, 1)
        wall.step(seconds=-apart)
        record(first, 2)
        for number in range(3):
            wall.step(seconds=apart)
            claims = claimed(second, in_order=True)
            assert bodies(claims) == [str(number)]
            wall.step(seconds=-apart)
            assert claim_in_order(first) == []
            settle(first, claims, State.DONE)


def test_what_this_process_runs_it_does_not_claim(journal: Journal, clock: Clock) -> None:
    """Even where its lease seems to have run out; that is prolonged, so that no claim finds the row again and again."""
    record(journal, 0, 1)
    mine, other = sorted(journal.claim(2, LEASE), key=lambda claim: claim.seq)
    clock.forward(3600)
    (lost,) = journal.claim(1, LEASE, running=[mine.seq]) or journal.claim(1, LEASE, running=[mine.seq])
    assert lost.seq == other.seq
    assert journal.claim(5, LEASE) == []
    settle(journal, [mine], State.DONE)


@pytest.mark.parametrize("in_order", [True, False])
def test_a_run_that_has_just_ended_keeps_its_row_for_a_moment_only(
    journal: Journal, clock: Clock, *, in_order: bool
) -> None:
    """It was released or failed, and its thread has yet to forget it: the retry does not wait for a lease time."""
    record(journal, 0, 1)
    first, second = sorted(journal.claim(2, LEASE), key=lambda claim: claim.seq)
    journal.release([first], Step.HANDLE)
    settle(journal, [second], State.RECEIVED, error="it failed")
    assert journal.claim(5, LEASE, in_order=in_order, running=[first.seq, second.seq]) == []
    clock.forward(0.1)
    assert journal.claim(5, LEASE, in_order=in_order)


def claimed(journal: Journal, *, in_order: bool = False) -> list[Claim]:
    """Claim what is due: on a machine that is slow now, a claim may find that its instant is over, and nothing else."""
    found: list[Claim] = []

    def look() -> bool:
        found.extend(journal.claim(5, LEASE, in_order=in_order))
        return bool(found)

    wait_for(look)
    return found


# -- the machine starts again --


def started_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """Have the machine be another start of it from now on."""
    (tmp_path / "boot_id").write_text(name)
    monkeypatch.setattr(queue_clock, "BOOT_ID", tmp_path / "boot_id")


def test_after_a_start_of_the_machine_everything_is_due(
    sqlite_url: str, wall: WallClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever its clock said before: what was stored two days ahead, leased, or put off for an hour."""
    started_again(monkeypatch, tmp_path, "one")
    wall.step(days=2)
    with Journal(sqlite_url) as journal:
        record(journal, 0, 1)
        (put_off,) = journal.claim(1, LEASE)
        settle(journal, [put_off], State.RECEIVED, due_in=3600, error="it failed")
        journal.claim(1, LEASE)
        record(journal, 2)
    wall.step(days=-2)
    started_again(monkeypatch, tmp_path, "two")
    with Journal(sqlite_url) as journal:
        assert sorted(bodies(journal.claim(5, LEASE))) == ["0", "1", "2"]
        with Journal(sqlite_url) as other:
            assert other.claim(5, LEASE) == [], "the second process of this start changes nothing"


def test_without_a_name_of_the_start_the_wall_clock_serves(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wall: WallClock
) -> None:
    """As on systems other than Linux."""
    monkeypatch.setattr(queue_clock, "BOOT_ID", tmp_path / "there is none")
    with Journal(sqlite_url) as journal:
        wall.step(hours=1)
        assert abs(journal.queue_now() - clocks.now()) < timedelta(seconds=1)


# -- PostgreSQL's own clock is moved --


@pytest.fixture
def move_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Move the database's clock, as far as the statements of the journal see it."""
    monkeypatch.setattr(queue_clock, "REFRESH_SECONDS", 0.0)

    def move(seconds: int) -> None:
        moved = f"CAST((extract(epoch FROM {{}}()) + ({seconds})) * 1000000 AS BIGINT)"
        monkeypatch.setattr(queue_clock, "SERVER_NOW", moved)
        claiming.due.cache_clear()

    yield move
    claiming.due.cache_clear()


def claim_one(journal: Journal) -> Claim:
    """Claim one of the rows there are. A host's clock may be some milliseconds ahead of the database's."""
    found: list[Claim] = []

    def is_found() -> bool:
        found.extend(journal.claim(1, LEASE))
        return bool(found)

    wait_for(is_found)
    return found[0]


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_jump_of_the_database_s_clock_doubles_and_stops_nothing(
    postgresql: PostgreSQL, way: Way, move_database: Callable[[int], None], seconds: int
) -> None:
    """A host that has not noticed finds nothing; then leases of others hold, and what waited is due."""
    url = postgresql.database()
    with Journal(url, **way) as first, Journal(url, **way) as second:
        record(first, 0, 1)
        running, put_off = claim_one(first), claim_one(first)
        settle(first, [put_off], State.RECEIVED, due_in=1, error="it failed")
        move_database(seconds)
        record(first, 2)
        found = second.claim(5, LEASE)
        assert running.seq not in {claim.seq for claim in found}
        assert {"1", "2"} <= {*bodies(found), *bodies(first.claim(5, LEASE))}
        settle(first, [running], State.DONE)


# -- reconciliation --


@pytest.mark.parametrize("ended", [True, False])
def test_a_run_from_the_future_makes_none_needless(journal: Journal, clock: Clock, *, ended: bool) -> None:
    """The clock was two days ahead when it ran: that says nothing of the inbox as it is now."""
    number = journal.begin_reconciliation(Beginning(ACCOUNT, clock.forward(2 * 86400)))
    assert number is not None
    if ended:
        journal.end_reconciliation(number, Tally(), None)
    now = clock.forward(-2 * 86400)
    assert journal.begin_reconciliation(Beginning(ACCOUNT, now, now, now)) is not None, "the look at the start"
    earlier = now - timedelta(minutes=5)
    other = journal.begin_reconciliation(Beginning("EX0000002", now, earlier, earlier))
    assert other is not None


def test_what_was_done_in_the_future_counts_as_done_before(journal: Journal, clock: Clock) -> None:
    """A message that EMS still lists is deleted again, although its delete bears a time that has yet to come."""
    record_at(journal, 0)
    clock.forward(2 * 86400)
    settle(journal, journal.claim(1, LEASE), State.HANDLED)
    journal.settle_deleted(journal.claim_deletions(ACCOUNT, 1))
    began = clock.forward(-2 * 86400)
    assert journal.delete_again([message(0).key], began) == 1


def record_at(journal: Journal, number: int) -> None:
    assert journal.record(Entry(message(number), START))


# -- the purge --


def done(journal: Journal, *numbers: int) -> None:
    record(journal, *numbers)
    settle(journal, journal.claim(len(numbers), LEASE), State.DONE)


def test_a_wall_clock_that_is_wrong_for_a_minute_purges_nothing(url: str, wall: WallClock) -> None:
    """What was just done is recognised when EMS pushes it again."""
    with Journal(url) as journal:
        done(journal, 0)
        wall.step(days=40)
        assert Retention(journal, 30).purge() == 0
        assert Retention(journal, 1 / 24).purge() == 0
        wall.step(days=-40)
        assert not journal.record(Entry(message(0), clocks.now()))


def test_only_time_that_surely_passed_makes_a_row_old(journal: Journal, clock: Clock) -> None:
    """It is what a process saw pass and the queue's clock agrees with; two that share a journal count it once."""
    hour = timedelta(hours=1)
    done(journal, 0)
    assert journal.pass_time(timedelta(), FLOOR) == 0
    done(journal, 1)
    for _ in range(48):
        clock.forward(3600)
        assert journal.pass_time(hour, FLOOR) == journal.pass_time(hour, FLOOR) == 0
    clock.forward(40 * 86400)
    assert journal.pass_time(hour, FLOOR) == 0, "a step, which no process saw pass"
    clock.forward(-41 * 86400)
    for _ in range(47):
        clock.forward(3600)
        last = journal.pass_time(hour, FLOOR)
    assert last == 1, "the row that was there at the first mark"
    assert journal.purge(clocks.now() + timedelta(days=1), 0, last).deleted == 1
    assert [record.key for record in journal.records(Selection())] == [message(1).key]


def test_the_number_of_a_purged_row_makes_no_other_old(sqlite_url: str, clock: Clock) -> None:
    """SQLite gives the highest number again once its row is gone."""
    with Journal(sqlite_url, clock=clock) as journal:
        done(journal, 0, 1)
        journal.pass_time(timedelta(), FLOOR)
        clock.forward(4 * 86400)
        last = journal.pass_time(FLOOR, FLOOR)
        assert last == 2
        assert journal.purge(clocks.now() + timedelta(days=1), 0, last).deleted == 2
        done(journal, 2)
        assert journal.pass_time(timedelta(), FLOOR) == 0


def test_marks_stay_few(url: str, clock: Clock) -> None:
    """Those older than the floor are of no use but one."""
    with Journal(url, clock=clock) as journal:
        done(journal, 0)
        for _ in range(30):
            clock.forward(3600)
            journal.pass_time(timedelta(hours=1), timedelta(hours=10))
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM purge_mark")) == 11
    engine.dispose()


# -- release --


def test_a_person_releases_what_waits(journal: Journal, clock: Clock) -> None:
    """Retries and deletes that are due later, by the filters; not what is being worked on, dead or blocked."""
    record(journal, 0, 1, 2, 3)
    running, put_off, to_delete, dead = sorted(journal.claim(4, LEASE), key=lambda claim: claim.seq)
    settle(journal, [put_off], State.RECEIVED, due_in=30 * 86400, error="it failed")
    settle(journal, [to_delete], State.HANDLED, due_in=30 * 86400)
    settle(journal, [dead], State.DEAD, due_in=30 * 86400)
    assert journal.count_held_back(Selection()) == 2
    assert journal.release_due(Selection(originator="another")) == 0
    assert journal.release_due(Selection(key=put_off.key)) == 1
    assert journal.release_due(Selection(originator=ANN)) == 1
    assert [claim.seq for claim in journal.claim(5, LEASE)] == [put_off.seq]
    assert [claim.seq for claim in journal.claim_deletions(ACCOUNT, 5)] == [to_delete.seq]
    settle(journal, [running], State.DONE)
    assert clock() == START


def test_a_blocked_one_is_not_released(journal: Journal) -> None:
    """It waits for the one before it, not for a time."""
    record(journal, 0, 1)
    claim_in_order(journal)
    assert claim_in_order(journal) == []
    assert journal.release_due(Selection()) == 0
