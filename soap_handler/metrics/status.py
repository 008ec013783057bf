"""Status of each worker process, in shared memory: absent, serving or draining. Health is answered from it."""

from __future__ import annotations

import mmap
from enum import IntEnum
from typing import Final

_CELL_BYTES: Final = 8


class Status(IntEnum):
    """What a worker process does at present."""

    ABSENT = 0
    """There is no process, or it does not listen yet."""
    SERVING = 1
    DRAINING = 2


class Statuses:
    """The status of each worker. Make it before the processes are forked; each then writes its own cell."""

    def __init__(self, workers: int = 1) -> None:
        self._cells: Final = memoryview(mmap.mmap(-1, _CELL_BYTES * workers)).cast("Q")

    def note(self, worker: int, status: Status) -> None:
        """Note the status of a worker, counted from 0. Safe in a signal handler."""
        self._cells[worker] = status

    def count(self, status: Status) -> int:
        """Return how many workers have this status."""
        return self._cells.tolist().count(status)
