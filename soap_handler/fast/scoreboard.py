"""A few numbers that the processes which share a port tell each other, in memory that is common to all of them."""

from __future__ import annotations

import mmap
from typing import Final

GATHERED: Final = 16
"""So many connections go to one process before the next one gets any: together their requests share a commit."""

GATHERED_FOR_ONE_WRITER: Final = 64
"""Likewise where only one process can write at a time: as many as one can serve, as two would hold each other up."""

_UNEVEN: Final = 16  # how many more than another a process may have where all have their share


class Board:
    """What is common. Make it before the processes are forked; each then has a place of its own, counted from 0."""

    def __init__(self, processes: int = 1, gathered: int = GATHERED) -> None:
        """``gathered``: how many connections one process is to have before the next one gets any."""
        cells = memoryview(mmap.mmap(-1, 2 * 8 * processes)).cast("Q")
        self.arrivals = cells[:processes]
        """By place: how many notifications have been taken in there, by whoever had it."""
        self.connections = cells[processes:]
        """By place: how many connections it has open, and one more; 0 where nobody is."""
        self.gathered = gathered

    def leave(self, number: int) -> None:
        """Have nobody count on a process that is gone, or accepts no more."""
        self.connections[number] = 0


class Place:
    """A process's place on the board."""

    def __init__(self, board: Board, number: int) -> None:
        self._board = board
        self._number = number

    @property
    def number(self) -> int:
        """Which place it is, counted from 0."""
        return self._number

    @property
    def places(self) -> int:
        """How many processes share the port."""
        return len(self._board.arrivals)

    def note_arrivals(self, count: int) -> None:
        """Take note of so many notifications that this process takes in. Nearly exact, since threads share it."""
        self._board.arrivals[self._number] += count

    @property
    def arrivals(self) -> int:
        """How many notifications were taken in here."""
        return self._board.arrivals[self._number]

    @property
    def all_arrivals(self) -> list[int]:
        """How many notifications were taken in by each of the processes."""
        return self._board.arrivals.tolist()

    @property
    def present(self) -> set[int]:
        """Which processes accept connections."""
        return {number for number, count in enumerate(self._board.connections) if count}

    def note_connections(self, count: int) -> None:
        """Write down how many connections this process has open."""
        self._board.connections[self._number] = count + 1

    def leave(self) -> None:
        """Have nobody leave a connection to this process any more."""
        self._board.leave(self._number)

    @property
    def is_next(self) -> bool:
        """Whether the next connection is for this process.

        It is for the first one that has room for it; where none has, for whoever has not many more than another.
        """
        gathered = self._board.gathered
        counts = {number: count - 1 for number, count in enumerate(self._board.connections) if count}
        first = next((number for number, count in counts.items() if count < gathered), None)
        if first is None:
            return counts.get(self._number, 0) < min(counts.values(), default=1) + _UNEVEN
        return first == self._number
