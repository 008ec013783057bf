"""Instruments: a counter, a gauge and a histogram, by which each part of the service counts. The list is ``catalogue``.

They write to this process's slot of the shared memory, once it is attached, and do nothing before: without a console
the price is one comparison. What is counted must not fail what it counts, so a value that finds no room is left out.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Type: TypeAlias = Literal["counter", "gauge", "histogram", "info"]


class Cells(Protocol):
    """Where a process counts: its slot of the shared memory."""

    def add(self, metric: Metric, labels: tuple[str, ...], amounts: Iterable[tuple[int, float]]) -> None:
        """Add amounts to cells of a metric, by their place in it."""

    def set(self, metric: Metric, labels: tuple[str, ...], value: float) -> None:
        """Set the one cell of a metric."""


_attached: list[Cells] = []


def attach(cells: Cells) -> Callable[[], None]:
    """Count here from now on; return the function that ends it."""
    _attached.append(cells)
    return lambda: _attached.remove(cells) if cells in _attached else None


def detach_all() -> None:
    """Count nothing more: a forked process must not write what is its parent's."""
    _attached.clear()


def is_counting() -> bool:
    """Whether anything is counted: a part may spare itself what only a metric needs."""
    return bool(_attached)


@dataclass(frozen=True)
class Metric:
    """One metric: its name without a suffix, its labels, and what it says in one sentence."""

    name: str
    labels: tuple[str, ...]
    meaning: str
    values: str = ""
    """The values of its labels, in words for the page."""

    type: Type = "gauge"

    @property
    def width(self) -> int:
        """How many cells its values take for each set of labels."""
        return 1


@dataclass(frozen=True)
class Counter(Metric):
    """A number that only grows."""

    type: Type = "counter"

    def add(self, amount: float, *labels: str) -> None:
        """Add to the number of these labels, in the order of the metric's."""
        if _attached:
            _attached[-1].add(self, labels, ((0, amount),))


@dataclass(frozen=True)
class Gauge(Metric):
    """A number that goes up and down. It is the sum over the workers that live."""

    def set(self, value: float, *labels: str) -> None:
        """Set the number of these labels for this worker."""
        if _attached:
            _attached[-1].set(self, labels, value)


@dataclass(frozen=True)
class Histogram(Metric):
    """A distribution: how many values were at most so large, and their sum."""

    type: Type = "histogram"
    buckets: tuple[float, ...] = ()
    """The upper bounds, ascending; infinity comes after them by itself."""

    @property
    def width(self) -> int:
        """How many cells: one for each bucket, one for what is larger, and the sum."""
        return len(self.buckets) + 2

    def observe(self, value: float, *labels: str) -> None:
        """Count a value."""
        if _attached:
            last = len(self.buckets) + 1
            _attached[-1].add(self, labels, ((bisect_left(self.buckets, value), 1), (last, value)))

    def observe_all(self, values: Iterable[float], *labels: str) -> None:
        """Count several values at once."""
        if not _attached:
            return
        counts = [0.0] * self.width
        for value in values:
            counts[bisect_left(self.buckets, value)] += 1
            counts[-1] += value
        _attached[-1].add(self, labels, [each for each in enumerate(counts) if each[1]])
