"""Shared memory: what several threads and processes count is summed exactly, and outlives who counted it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from soap_handler.metrics.catalogue import COMMIT_SECONDS, CONNECTIONS, DELETES, PUSHES
from soap_handler.metrics.instruments import attach, detach_all, is_counting
from soap_handler.metrics.shared_memory import MetricsSlot, SharedMemory
from soap_handler.metrics.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

STORED = ("soap", "MessageEvent", "stored")
KEY = (PUSHES.name, *STORED)


@pytest.fixture
def memory() -> SharedMemory:
    return SharedMemory(workers=2)


@pytest.fixture(autouse=True)
def nothing_attached() -> Iterator[None]:
    yield
    detach_all()


def test_nothing_is_counted_where_nothing_is_attached(memory: SharedMemory) -> None:
    """Without a console an instrument does nothing, whatever it is told."""
    PUSHES.add(1, *STORED)
    CONNECTIONS.set(5)
    COMMIT_SECONDS.observe(0.1)
    assert not is_counting()
    assert memory.totals() == {}


def test_threads_lose_no_count(memory: SharedMemory) -> None:
    """``+=`` on shared memory is three steps; a lock makes them one."""
    attach(MetricsSlot(memory))

    def count() -> None:
        for _ in range(5000):
            PUSHES.add(1, *STORED)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.totals()[KEY] == [20000]


def test_slots_are_summed(memory: SharedMemory) -> None:
    """Each worker writes its own, and so does the parent; a reader adds them up."""
    for number in (0, 1, memory.workers):
        attach(MetricsSlot(memory, number))
        PUSHES.add(10 + number, *STORED)
    assert memory.totals()[KEY] == [33]


def test_a_successor_goes_on_counting(memory: SharedMemory) -> None:
    """A worker that replaces another one has its rows: counters never fall, and no row is made twice."""
    for _ in range(3):
        end = attach(MetricsSlot(memory))
        PUSHES.add(1, *STORED)
        COMMIT_SECONDS.observe(0.003)
        end()
    assert memory.totals()[KEY] == [3]
    assert sum(memory.totals()[COMMIT_SECONDS.name,][:-1]) == 3
    assert memory.part(0)[:8].cast("Q")[0] == 2


def test_the_gauges_of_a_dead_worker_go(memory: SharedMemory) -> None:
    """What it held is held no more; what it has counted stays."""
    attach(MetricsSlot(memory))
    CONNECTIONS.set(7)
    PUSHES.add(1, *STORED)
    assert memory.totals()[CONNECTIONS.name,] == [7]
    MetricsSlot(memory).clear_gauges()
    assert memory.totals()[CONNECTIONS.name,] == [0]
    assert memory.totals()[KEY] == [1]


def test_what_finds_no_room_is_left_out(memory: SharedMemory) -> None:
    """Rows are bounded, and so is the length of a label: the service goes on, and what is there counts on."""
    attach(MetricsSlot(memory))
    PUSHES.add(1, *STORED)
    DELETES.add(1, "x" * 1000, "deleted")
    for number in range(memory.rows * 2):
        DELETES.add(1, f"account {number}", "deleted")
    PUSHES.add(1, *STORED)
    assert memory.totals()[KEY] == [2]
    assert len(memory.totals()) == memory.rows


def test_equal_values_are_observed_at_once(memory: SharedMemory) -> None:
    """One call for a batch gives the cells of one call for each."""
    values = [0.0004, 0.0005, 0.0006, 3.0, 99.0]
    attach(MetricsSlot(memory, 0))
    COMMIT_SECONDS.observe_all(values)
    attach(MetricsSlot(memory, 1))
    for value in values:
        COMMIT_SECONDS.observe(value)
    totals = memory.totals()[COMMIT_SECONDS.name,]
    assert totals[0] == 4  # up to 0.0005, the bound itself included, twice
    assert totals[-2] == 2  # beyond the last bound
    assert totals[-1] == pytest.approx(2 * sum(values))
    assert len(totals) == len(COMMIT_SECONDS.buckets) + 2


def test_the_status_of_each_worker_is_seen(memory: SharedMemory) -> None:
    """It is in shared memory too."""
    MetricsSlot(memory, 1).note(Status.SERVING)
    assert (memory.statuses.count(Status.SERVING), memory.statuses.count(Status.ABSENT)) == (1, 1)
