"""The filters of the templates: times, lengths of time, sizes and counts as the pages show them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from soap_handler import figures, times

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.journal import Record

_LINE: Final = 200  # characters of a text in a list


def clock(moment: datetime | None) -> str:
    """Return a time in the zone of this machine, to the second, as an element that holds the exact one."""
    return "" if moment is None else _element(moment, times.local(moment))


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


def ago(moment: datetime | None, now: datetime) -> str:
    """Return how long ago something was, or in how long it will be."""
    return "" if moment is None else times.ago(moment, now)


def count(number: float) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,.0f}"


def says(record: Record, readable: bool) -> str:  # noqa: FBT001 - a filter of the templates
    """Return in a line what a notification says: the beginning of its text, or what happened.

    What people wrote is left out where it is not ``readable``.
    """
    notification = record.notification
    for name in ("event_type", "error_type", "event_code"):
        if value := getattr(notification, name, None):
            detail = getattr(notification, "detail", None) if readable else None
            return f"{value}: {detail[:_LINE]}" if detail else str(value)
    return str(getattr(notification, "body", None) or "")[:_LINE] if readable else ""


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "ago": ago,
    "clock": clock,
    "clock_ms": clock_to_milliseconds,
    "number": count,
    "day": day,
    "rate": figures.rate,
    "says": says,
    "size": figures.size,
    "span": times.span,
    "took": times.took,
    "zone": times.zone,
}
"""The filters of the templates, by name."""
