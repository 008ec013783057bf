"""Shared memory between the worker processes of one port: how much each has taken in, and which of them serve.

Load shedding reads it. It is nearly exact and never locked: the threads of a worker may overwrite each other's count.
"""

from __future__ import annotations

import mmap
from typing import Final

_CELL_BYTES: Final = 8


class Scoreboard:
    """The shared memory. Make it before the processes are forked; each then has a slot, counted from 0."""

    def __init__(self, workers: int = 1) -> None:
        cells = memoryview(mmap.mmap(-1, 2 * _CELL_BYTES * workers)).cast("Q")
        self.arrivals = cells[:workers]
        """By slot: how many notifications have been taken in there, by all workers that had it."""
        self.present = cells[workers:]
        """By slot: 1 while a worker there accepts connections, else 0."""

    def leave(self, number: int) -> None:
        """Note that a worker is gone, or accepts no more."""
        self.present[number] = 0


class WorkerSlot:
    """A worker's own part of the scoreboard."""

    def __init__(self, scoreboard: Scoreboard, number: int) -> None:
        self._scoreboard = scoreboard
        self.number = number
        """Which slot it is, counted from 0."""

    @property
    def workers(self) -> int:
        """How many workers share the port."""
        return len(self._scoreboard.arrivals)

    def note_arrivals(self, count: int) -> None:
        """Note that this worker takes in so many notifications."""
        self._scoreboard.arrivals[self.number] += count

    @property
    def arrivals(self) -> int:
        """How many notifications this slot has taken in."""
        return self._scoreboard.arrivals[self.number]

    @property
    def all_arrivals(self) -> list[int]:
        """How many notifications each slot has taken in."""
        return self._scoreboard.arrivals.tolist()

    @property
    def present(self) -> set[int]:
        """The slots whose workers accept connections."""
        return {number for number, serves in enumerate(self._scoreboard.present) if serves}

    def join(self) -> None:
        """Note that this worker accepts connections."""
        self._scoreboard.present[self.number] = 1

    def leave(self) -> None:
        """Note that this worker accepts no more."""
        self._scoreboard.leave(self.number)
