"""Charts as SVG: where each bar begins and how high it is. Pure; the colours are the style sheet's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 240
HEIGHT: Final = 44
_GAP: Final = 1


@dataclass(frozen=True, slots=True)
class Bar:
    """One interval."""

    x: float
    y: float
    width: float
    height: float
    count: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars side by side, the oldest first."""

    name: str
    bars: tuple[Bar, ...]
    highest: int
    """The count of the highest bar."""
    total: int
    tone: str = "usual"
    """Its class in the style sheet."""
    width: int = WIDTH
    height: int = HEIGHT


def chart(name: str, counts: Sequence[int], *, scale: int = 0, tone: str = "usual") -> Chart:
    """Return the chart of some counts. ``scale``: a count that is as high as the chart, where none is higher."""
    highest = max(counts, default=0)
    top = max(highest, scale, 1)
    step = WIDTH / max(1, len(counts))
    bars = tuple(_bar(place, each, step, top) for place, each in enumerate(counts) if each)
    return Chart(name, bars, highest, sum(counts), tone)


def _bar(place: int, count: int, step: float, top: int) -> Bar:
    height = max(1.0, count / top * HEIGHT)  # a single one must be seen
    return Bar(round(place * step, 2), round(HEIGHT - height, 2), round(step - _GAP, 2), round(height, 2), count)
