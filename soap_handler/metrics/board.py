"""The board: shared memory in which each worker process counts, and from which the console reads all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler.metrics.status import Statuses

if TYPE_CHECKING:
    from soap_handler.metrics.status import Status


class Board:
    """The shared memory. Make it before the processes are forked; each worker then has a slot, counted from 0."""

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        """How many slots there are."""
        self.statuses = Statuses(workers)
        """The status of each worker."""


class Slot:
    """A worker's own part of the board."""

    def __init__(self, board: Board, number: int = 0) -> None:
        self.board = board
        """The board that the workers share."""
        self._number = number

    def note(self, status: Status) -> None:
        """Note what this worker does now. Safe in a signal handler."""
        self.board.statuses.note(self._number, status)
