"""Shared memory in which each worker process counts, and from which the console reads all of them.

Each worker writes its own slot and no other, so nothing is locked between processes. A slot is a directory that only
grows: a row for each metric and set of labels, with its text and its cells. It belongs to a place and not to a process:
who takes it over goes on with its counters, so they never fall; gauges begin anew. Compared with the files of
prometheus-client's multiprocess mode, nothing is left behind by a process that dies, and no directory has to be kept.
"""

from __future__ import annotations

import mmap
import threading
from typing import TYPE_CHECKING, Final, TypeAlias

from soap_handler.metrics.catalogue import CATALOGUE
from soap_handler.metrics.status import Statuses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from soap_handler.metrics.instruments import Metric
    from soap_handler.metrics.status import Status

Key: TypeAlias = "tuple[str, ...]"
"""The name of a metric, and the values of its labels."""

_TEXT_BYTES: Final = 232
_ROW_BYTES: Final = 256  # where its cells begin, how many they are, and its text
_CELL_BYTES: Final = 8
_CELLS_PER_ROW: Final = 6  # on average: few rows are histograms, which take some 16
_SEPARATOR: Final = "\x1f"
_ROWS: Final = 512  # more than the code, the contract and a dozen of sinks and accounts need


class SharedMemory:
    """The shared memory. Make it before the processes are forked; each then has a slot, counted from 0."""

    def __init__(self, workers: int = 1, names: int = 0) -> None:
        """``names`` is how many sinks and accounts there are. Beside the workers' slots there is one for the parent."""
        self.workers = workers
        """How many workers there are; the slot of this number is the parent's."""
        self.statuses = Statuses(workers)
        """The status of each worker."""
        self.rows = _ROWS + 16 * names
        """How many rows a slot has room for."""
        self._slot_bytes = _CELL_BYTES * 2 + self.rows * (_ROW_BYTES + _CELLS_PER_ROW * _CELL_BYTES)
        self._memory = mmap.mmap(-1, self._slot_bytes * (workers + 1))

    def part(self, number: int) -> memoryview:
        """Return the memory of a slot."""
        return memoryview(self._memory)[number * self._slot_bytes : (number + 1) * self._slot_bytes]

    def totals(self) -> dict[Key, list[float]]:
        """Return the cells of each metric and set of labels, summed over all slots."""
        found: dict[Key, list[float]] = {}
        for number in range(self.workers + 1):
            for key, cells in _Rows(self, number).read():
                known = found.setdefault(key, [0.0] * len(cells))
                for place, value in enumerate(cells):
                    known[place] += value
        return found


class _Rows:
    """One slot as rows. The text of a row is written before the number of rows says that it is there."""

    def __init__(self, memory: SharedMemory, number: int) -> None:
        part = memory.part(number)
        self.size = memory.rows
        texts_at = 2 * _CELL_BYTES
        cells_at = texts_at + self.size * _ROW_BYTES
        self.used = part[:texts_at].cast("Q")  # rows, cells
        self._texts = part[texts_at:cells_at]
        self.cells: memoryview[float] = part[cells_at:].cast("d")

    def read(self) -> Iterator[tuple[Key, list[float]]]:
        """Yield each row's key with the values of its cells."""
        for key, begin, width in self.directory():
            yield key, [float(each) for each in self.cells[begin : begin + width]]

    def directory(self) -> Iterator[tuple[Key, int, int]]:
        """Yield each row's key, where its cells begin, and how many they are."""
        for number in range(self.used[0]):
            row = self._texts[number * _ROW_BYTES : (number + 1) * _ROW_BYTES]
            begin, width, length = row[:24].cast("Q")
            yield tuple(bytes(row[24 : 24 + length]).decode().split(_SEPARATOR)), begin, width

    def append(self, key: Key, width: int) -> int | None:
        """Make a row; return where its cells begin, or ``None`` where there is no room for it."""
        text = _SEPARATOR.join(key).encode()
        number, begin = self.used
        if number >= self.size or begin + width > len(self.cells) or len(text) > _TEXT_BYTES:
            return None
        row = self._texts[number * _ROW_BYTES : (number + 1) * _ROW_BYTES]
        row[24 : 24 + len(text)] = text
        head = row[:24].cast("Q")
        head[0], head[1], head[2] = begin, width, len(text)
        self.used[1] = begin + width
        self.used[0] = number + 1
        return int(begin)


class MetricsSlot:
    """A worker's own part of the memory. Thread-safe within its process; one process has it at a time."""

    def __init__(self, memory: SharedMemory, number: int = 0) -> None:
        """Take the slot over from the process that had it before, if there was one."""
        self.memory = memory
        """The memory that the workers share."""
        self._number = number
        self._rows = _Rows(memory, number)
        self._cells = self._rows.cells
        self._begins: dict[Key, int | None] = {key: begin for key, begin, _ in self._rows.directory()}
        self._lock = threading.Lock()

    def note(self, status: Status) -> None:
        """Note what this worker does now. Safe in a signal handler."""
        self.memory.statuses.note(self._number, status)

    def clear_gauges(self) -> None:
        """Set the gauges to 0: the process that they were of is gone."""
        for key, begin, _ in self._rows.directory():
            if CATALOGUE[key[0]].type == "gauge":
                self._cells[begin] = 0.0

    def add(self, metric: Metric, labels: tuple[str, ...], amounts: Iterable[tuple[int, float]]) -> None:
        """Add amounts to cells of a metric, by their place in it."""
        with self._lock:
            begin = self._begin(metric, labels)
            if begin is not None:
                for place, amount in amounts:
                    self._cells[begin + place] += amount

    def set(self, metric: Metric, labels: tuple[str, ...], value: float) -> None:
        """Set the one cell of a metric."""
        with self._lock:
            begin = self._begin(metric, labels)
            if begin is not None:
                self._cells[begin] = value

    def _begin(self, metric: Metric, labels: Sequence[str]) -> int | None:
        key = (metric.name, *labels)
        try:
            return self._begins[key]
        except KeyError:
            begin = self._begins[key] = self._rows.append(key, metric.width)
            return begin
