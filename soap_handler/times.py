"""Times for people: how an option or a form says one, and how it is shown, in the zone of this machine."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(r"(\d{1,6})\s*([smhdw])", re.ASCII)
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TO_THE_MINUTE: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?!:).*", re.ASCII)
_STEPS: Final = ((86_400 * 2, 86_400, "d"), (3_600 * 2, 3_600, "h"), (60 * 2, 60, "min"), (0, 1, "s"))


def read(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the beginning and the end of the time that a person names; without a zone it is in that of this machine.

    10:02 is a whole minute, the last that a clock showed so; a date is a whole day. ``2h`` counts back from ``now``.

    Raises:
        ValueError: it names none.
    """
    wanted = text.strip()
    try:
        begin, length = _ago(wanted, now) or _today(wanted, now) or _dated(wanted)
        return begin.astimezone(UTC), (begin + length).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def _ago(text: str, now: datetime) -> tuple[datetime, timedelta] | None:
    found = _AGO.fullmatch(text)
    return None if found is None else (now - timedelta(**{_UNITS[found[2]]: int(found[1])}), timedelta())


def _today(text: str, now: datetime) -> tuple[datetime, timedelta] | None:
    """Read a time of the day: the last time that a local clock showed it."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    at = time(int(found[1]), int(found[2]), int(found[3] or 0))
    today = now.astimezone().date()
    moment = datetime.combine(today, at).astimezone()
    if moment > now:
        moment = datetime.combine(today - timedelta(days=1), at).astimezone()
    return moment, timedelta(seconds=1) if found[3] else timedelta(minutes=1)


def _dated(text: str) -> tuple[datetime, timedelta]:
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.astimezone()
    if _DATE.fullmatch(text):
        return aware, (moment + timedelta(days=1)).astimezone() - aware
    return aware, timedelta(minutes=1) if _TO_THE_MINUTE.fullmatch(text) else timedelta(microseconds=1)


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago something was, or in how long it will be, in one unit."""
    passed = (now - moment).total_seconds()
    if abs(passed) < 1:
        return "just now"
    return f"in {span(-passed)}" if passed < 0 else f"{span(passed)} ago"


def span(seconds: float) -> str:
    """Return a length of time, in one unit."""
    whole = max(0, int(seconds))
    return next(f"{whole // unit} {name}" for least, unit, name in _STEPS if whole >= least)


def local(moment: datetime) -> str:
    """Return a time in the local zone, to the second."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def exact(moment: datetime) -> str:
    """Return a time in the local zone, to the millisecond."""
    return f"{local(moment)}.{moment.microsecond // 1000:03}"


def took(seconds: float) -> str:
    """Return how long something took, to the millisecond where it was short."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else f"{seconds * 1000:.1f} ms"
    return f"{seconds:.3f} s" if seconds < 60 else span(seconds)


def local_short(moment: datetime, now: datetime) -> str:
    """Return a time in the local zone, in eleven characters: to the second today, else with its date."""
    there = moment.astimezone()
    return f"{there:%H:%M:%S}" if there.date() == now.astimezone().date() else f"{there:%m-%d %H:%M}"


def zone(moment: datetime) -> str:
    """Return the name of the local zone at a time."""
    there = moment.astimezone()
    return f"{there:%Z} (UTC{there:%z})" if f"{there:%Z}" != "UTC" else "UTC"


def with_age(now: datetime) -> Callable[[datetime], str]:
    """Return what shows a time with how long ago it was."""
    return lambda moment: f"{local(moment)} ({ago(moment, now)})"
