"""Words for values: times, lengths of time, sizes and counts as the pages show them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS: Final = ("bytes", "KB", "MB", "GB", "TB")
_SPANS: Final = ((86_400 * 2, 86_400, "d"), (3_600 * 2, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))
"""From so many seconds on, in this unit."""


def clock(moment: datetime | None) -> str:
    """Return a time in the zone of this machine, to the second, as an element that holds the exact one."""
    return "" if moment is None else _element(moment, f"{moment.astimezone():%Y-%m-%d %H:%M:%S}")


def clock_to_milliseconds(moment: datetime | None) -> str:
    """Return a time of the day in the zone of this machine, to the millisecond."""
    if moment is None:
        return ""
    there = moment.astimezone()
    return _element(moment, f"{there:%H:%M:%S}.{there.microsecond // 1000:03}")


def day(moment: datetime) -> str:
    """Return the day in the zone of this machine."""
    return f"{moment.astimezone():%A, %Y-%m-%d}"


def _element(moment: datetime, text: str) -> str:
    exact = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(exact, text)


def zone(moment: datetime) -> str:
    """Return the name of the zone of this machine at a time."""
    there = moment.astimezone()
    name = f"{there:%Z}"
    return name if name == "UTC" else f"{name} (UTC{there:%z})"


def ago(moment: datetime | None, now: datetime) -> str:
    """Return how long ago something was, or in how long it will be."""
    if moment is None:
        return ""
    passed = (now - moment).total_seconds()
    if abs(passed) < 1:
        return "just now"
    return f"in {span(-passed)}" if passed < 0 else f"{span(passed)} ago"


def span(seconds: float) -> str:
    """Return a length of time in one unit."""
    whole = max(0, int(seconds))
    return next(f"{whole // unit} {name}" for least, unit, name in _SPANS if whole >= least)


def took(seconds: float) -> str:
    """Return how long something took, to the millisecond where it was short."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else f"{seconds * 1000:.1f} ms"
    return f"{seconds:.3f} s" if seconds < 60 else span(seconds)


def count(number: float) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,.0f}"


def rate(per_minute: float) -> str:
    """Return a rate: whole where it is large."""
    return f"{per_minute:,.0f}" if per_minute >= 10 or not per_minute else f"{per_minute:.1f}"


def size(number: int) -> str:
    """Return a number of bytes in one unit."""
    amount, unit = float(number), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit < 2 or amount >= 100 else f"{amount:.1f} {_UNITS[unit]}"


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "ago": ago,
    "clock": clock,
    "clock_ms": clock_to_milliseconds,
    "number": count,
    "day": day,
    "rate": rate,
    "size": size,
    "span": span,
    "took": took,
    "zone": zone,
}
"""The filters of the templates, by name."""
