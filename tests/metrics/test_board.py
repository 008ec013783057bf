"""The board: what several threads and processes count is summed exactly, and outlives the process that counted it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from soap_handler.metrics.board import Board, Slot
from soap_handler.metrics.catalogue import COMMIT_SECONDS, CONNECTIONS, DELETES, PUSHES
from soap_handler.metrics.instruments import attach, detach_all, is_counting
from soap_handler.metrics.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

STORED = ("soap", "MessageEvent", "stored")
KEY = (PUSHES.name, *STORED)


@pytest.fixture
def board() -> Board:
    return Board(workers=2)


@pytest.fixture(autouse=True)
def nothing_attached() -> Iterator[None]:
    yield
    detach_all()


def test_nothing_is_counted_where_nothing_is_attached(board: Board) -> None:
    """Without a console an instrument does nothing, whatever it is told."""
    PUSHES.add(1, *STORED)
    CONNECTIONS.set(5)
    COMMIT_SECONDS.observe(0.1)
    assert not is_counting()
    assert board.totals() == {}


def test_threads_lose_no_count(board: Board) -> None:
    """``+=`` on shared memory is three steps; a lock makes them one."""
    attach(Slot(board))

    def count() -> None:
        for _ in range(5000):
            PUSHES.add(1, *STORED)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert board.totals()[KEY] == [20000]


def test_slots_are_summed(board: Board) -> None:
    """Each worker writes its own, and so does the parent; a reader adds them up."""
    for number in (0, 1, board.workers):
        attach(Slot(board, number))
        PUSHES.add(10 + number, *STORED)
    assert board.totals()[KEY] == [33]


def test_a_successor_goes_on_counting(board: Board) -> None:
    """A worker that replaces another one has its rows: counters never fall, and no row is made twice."""
    for _ in range(3):
        end = attach(Slot(board))
        PUSHES.add(1, *STORED)
        COMMIT_SECONDS.observe(0.003)
        end()
    assert board.totals()[KEY] == [3]
    assert sum(board.totals()[COMMIT_SECONDS.name,][:-1]) == 3
    assert board.part(0)[:8].cast("Q")[0] == 2


def test_the_gauges_of_a_dead_worker_go(board: Board) -> None:
    """What it held is held no more; what it has counted stays."""
    attach(Slot(board))
    CONNECTIONS.set(7)
    PUSHES.add(1, *STORED)
    assert board.totals()[CONNECTIONS.name,] == [7]
    Slot(board).clear_gauges()
    assert board.totals()[CONNECTIONS.name,] == [0]
    assert board.totals()[KEY] == [1]


def test_what_finds_no_room_is_left_out(board: Board) -> None:
    """Rows are bounded, and so is the length of a label: the service goes on, and what is there counts on."""
    attach(Slot(board))
    PUSHES.add(1, *STORED)
    DELETES.add(1, "x" * 1000, "deleted")
    for number in range(board.rows * 2):
        DELETES.add(1, f"account {number}", "deleted")
    PUSHES.add(1, *STORED)
    assert board.totals()[KEY] == [2]
    assert len(board.totals()) == board.rows


def test_equal_values_are_observed_at_once(board: Board) -> None:
    """One call for a batch gives the cells of one call for each."""
    values = [0.0004, 0.0005, 0.0006, 3.0, 99.0]
    attach(Slot(board, 0))
    COMMIT_SECONDS.observe_all(values)
    attach(Slot(board, 1))
    for value in values:
        COMMIT_SECONDS.observe(value)
    totals = board.totals()[COMMIT_SECONDS.name,]
    assert totals[0] == 4  # up to 0.0005, the bound itself included, twice
    assert totals[-2] == 2  # beyond the last bound
    assert totals[-1] == pytest.approx(2 * sum(values))
    assert len(totals) == len(COMMIT_SECONDS.buckets) + 2


def test_the_status_of_each_worker_is_seen(board: Board) -> None:
    """It is in shared memory too."""
    Slot(board, 1).note(Status.SERVING)
    assert (board.statuses.count(Status.SERVING), board.statuses.count(Status.ABSENT)) == (1, 1)
