"""What is done goes after a while, in small steps; what is not done stays, however old it is."""

from __future__ import annotations

import statistics
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from soap_handler.journal import Beginning, Entry, Journal, Selection, State
from soap_handler.journal.retention import Retention
from tests.journal.entries import LEASE, START, Clock, ended, entry, message
from tests.journal.ways import FAST
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.journal.ways import Way

HISTORY = """
    INSERT INTO notification
        (key, account, kind, state, source, originator, payload, received_at, done_at, attempts, delete_attempts)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
    SELECT 'EX0000001/MessageReceived/old-' || i, 'EX0000001', 'MessageReceived', 'done', 'push', '447700900001',
        '{"account":"EX0000001","id":"' || i || '","body":"some words of a usual message that somebody sent"}',
        i, i, 1, 1 FROM n
"""
ATTEMPTS = """
    INSERT INTO attempt (seq, step, started_at, ended_at, outcome, owner)
    SELECT seq, step, 1, 2, 'ok', 'me' FROM notification, (SELECT 'handle' AS step UNION ALL SELECT 'delete') AS steps
"""


def fill(url: str, rows: int) -> None:
    """Make a journal with so many old, done notifications of two attempts each."""
    Journal(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(HISTORY), {"rows": rows})
        connection.execute(text(ATTEMPTS))
    engine.dispose()


def count(url: str, table: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        number = connection.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - a table of ours
    engine.dispose()
    return int(number or 0)


def purge(journal: Journal, now: datetime, days: float = 30) -> int:
    return Retention(journal, days, lambda: now, floor=timedelta()).purge()


def bring_to(journal: Journal, number: int, state: State) -> None:
    journal.record(entry(number))
    if state is not State.RECEIVED:
        (claim,) = journal.claim(1, LEASE)
        journal.settle([ended(claim, state, START if state is State.HANDLED else None)])


def test_only_what_is_done_for_long_enough_goes(journal: Journal, url: str, clock: Clock) -> None:
    """With its attempts; received, handled and dead stay, and so does what was done lately."""
    for number, state in enumerate([State.DONE, State.HANDLED, State.DEAD, State.RECEIVED]):
        bring_to(journal, number, state)
    later = clock.forward(31 * 86400)
    journal.record(Entry(message(9), later))
    assert purge(journal, START + timedelta(days=30)) == 0, "not yet: it was done a second after the start"
    assert purge(journal, later) == 1
    kept = {record.key: record.state for record in journal.records(Selection())}
    assert message(0).key not in kept
    assert sorted(kept.values()) == ["dead", "handled", "received", "received"]
    assert count(url, "attempt") == 2


def test_old_records_of_reconciliations_go_too(journal: Journal, clock: Clock) -> None:
    """They are kept as long as notifications are."""
    journal.begin_reconciliation(Beginning("EX0000001", clock()))
    journal.begin_reconciliation(Beginning("EX0000001", clock.forward(8 * 86400)))
    purge(journal, clock(), days=7)
    assert [run.started_at for run in journal.reconciliations()] == [clock()]


def test_what_is_younger_is_not_even_looked_at(journal: Journal, clock: Clock) -> None:
    """A round ends where all rows came in later than the time of retention."""
    for number in range(3):
        journal.record(entry(number, clock()))
    assert journal.purge(START, 0).after is None
    assert journal.purge(START + timedelta(days=1), 0).after is None, "the end of the journal"


def test_a_round_goes_on_behind_what_stays(sqlite_url: str, way: Way) -> None:
    """Steps follow each other over everything old, also where nothing can be deleted."""
    fill(sqlite_url, 1000)
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE notification SET state = 'dead' WHERE seq <= 500"))
    engine.dispose()
    with Journal(sqlite_url, **way) as journal:
        assert purge(journal, START) == 500
    assert count(sqlite_url, "notification") == 500


def test_a_late_result_of_what_is_purged_does_no_harm(journal: Journal, clock: Clock) -> None:
    """The row is gone; its settling changes nothing, and the others of its batch are settled."""
    for number in range(2):
        journal.record(entry(number))
    gone, there = journal.claim(2, LEASE)
    journal.settle([ended(gone, State.DONE)])
    assert purge(journal, clock.forward(31 * 86400)) == 1
    assert journal.settle([ended(gone, State.DONE), ended(there, State.DONE)]) == [False, True]


def test_nothing_is_purged_where_all_is_kept(journal: Journal) -> None:
    """0 days means for ever: there is not even a thread."""
    before = threading.active_count()
    retention = Retention(journal, 0)
    retention.start()
    assert threading.active_count() == before
    assert retention.stop(1)


def test_the_thread_purges_and_ends(journal: Journal) -> None:
    """In the service it happens by itself."""
    bring_to(journal, 1, State.DONE)
    retention = Retention(journal, 30, lambda: START + timedelta(days=31), delay=0.01, floor=timedelta())
    retention.start()
    wait_for(lambda: not journal.records(Selection()))
    assert retention.stop(5)


def latencies(journal: Journal, first: int, seconds: float, going_on: Callable[[], bool] = lambda: True) -> list[float]:
    """Push for so long, a little slower than as fast as possible, and time each commit."""
    taken: list[float] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and going_on():
        began = time.perf_counter()
        assert journal.record(Entry(message(first + len(taken)), datetime.now(UTC)))
        taken.append(time.perf_counter() - began)
        time.sleep(0.002)  # callers are not all there at once
    return taken


def test_pushes_hardly_notice_a_purge(url: str, way: Way) -> None:
    """While old rows are deleted, the median of a commit stays within three times the quiet one, and none is long."""
    rows = 10_000
    fill(url, rows)
    with Journal(url, **way) as journal:
        quiet = latencies(journal, 0, 1.0)
        retention = Retention(journal, 30, floor=timedelta())
        purging = threading.Thread(target=retention.purge)
        purging.start()
        busy = latencies(journal, 10_000, 30.0, purging.is_alive)
        purging.join()
        assert len(busy) > 20, "there was something to measure"
        assert journal.records(Selection(state=State.DONE), 1) == []
    assert statistics.median(busy) < 3 * statistics.median(quiet) + 0.002
    assert statistics.quantiles(busy, n=20)[-1] < 0.5


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_pushes_hardly_notice_a_purge_of_fifty_thousand(url: str) -> None:
    """The same with many, the fast way; prints the figures."""
    fill(url, 50_000)
    with Journal(url, **FAST) as journal:
        quiet = latencies(journal, 0, 5.0)
        began = time.monotonic()
        purging = threading.Thread(target=Retention(journal, 30, floor=timedelta()).purge)
        purging.start()
        busy = latencies(journal, 100_000, 300.0, purging.is_alive)
        purging.join()
        took = time.monotonic() - began
    figures = [
        [round(1000 * statistics.quantiles(each, n=100)[at], 2) for at in (49, 94, 98)] for each in (quiet, busy)
    ]
    print(f"purged in {took:.1f} s; ms at 50, 95, 99 %: quiet {figures[0]}, while purging {figures[1]}")  # noqa: T201 - the figures
    assert statistics.median(busy) < 3 * statistics.median(quiet) + 0.002


def test_the_file_is_used_again(tmp_path: Path, way: Way) -> None:
    """What is purged makes room: as many new notifications again do not make the file larger by more than a tenth."""
    file = tmp_path / "journal.db"
    url = f"sqlite:///{file}"
    fill(url, 5000)
    size = file.stat().st_size
    with Journal(url, **way) as journal:
        assert purge(journal, datetime.now(UTC)) == 5000
    fill(url, 5000)
    assert file.stat().st_size < size * 1.1
