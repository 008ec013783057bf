"""Times for people: how an option says one, and how it is shown. Shown in the local zone; JSON and pipes have UTC."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECTED: Final = "expected 2h, 10:02, 2026-03-02, or 2026-03-02T10:02"
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(r"(\d{1,6})\s*([smhdw])", re.ASCII)
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TO_THE_MINUTE: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?!:).*", re.ASCII)
_STEPS: Final = ((86_400 * 2, 86_400, "d"), (3_600 * 2, 3_600, "h"), (60 * 2, 60, "min"), (0, 1, "s"))


def since(text: str | None, now: datetime) -> datetime | None:
    """Return the beginning of the time that an option names.

    Raises:
        typer.BadParameter: it names none.
    """
    return None if text is None else _span("--since", text, now)[0]


def until(text: str | None, now: datetime) -> datetime | None:
    """Return the end of the time that an option names: of the whole minute for 10:02, of the whole day for a date.

    Raises:
        typer.BadParameter: it names none.
    """
    return None if text is None else _span("--until", text, now)[1]


def _span(option: str, text: str, now: datetime) -> tuple[datetime, datetime]:
    wanted = text.strip()
    for read in (_ago, _today, _dated):
        try:
            span = read(wanted, now)
        except (ValueError, OverflowError):
            break
        if span is not None:
            begin, length = span
            return begin, begin + length
    raise typer.BadParameter(f"{option} is {text!r}; {EXPECTED}, with or without a zone")


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


def _dated(text: str, _now: datetime) -> tuple[datetime, timedelta] | None:
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.astimezone()
    if _DATE.fullmatch(text):
        return aware, (moment + timedelta(days=1)).astimezone() - aware
    return aware, timedelta(minutes=1) if _TO_THE_MINUTE.fullmatch(text) else timedelta(microseconds=1)


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago something was, in one unit."""
    passed = (now - moment).total_seconds()
    return f"in {span(-passed)}" if passed <= -1 else f"{span(passed)} ago"


def span(seconds: float) -> str:
    """Return a length of time, in one unit."""
    whole = max(0, int(seconds))
    return next(f"{whole // unit} {name}" for least, unit, name in _STEPS if whole >= least)


def local(moment: datetime) -> str:
    """Return a time in the local zone, to the second."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


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
