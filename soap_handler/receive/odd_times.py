"""Times as few stacks write them: without an offset or seconds, with a named zone, of year 1, or none at all."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from datetime import tzinfo

_DATE_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"\s?(Z|UTC|GMT|[+-](?:0\d|1[0-3])(?::?[0-5]\d)?|[+-]14(?::?00)?)?"  # XML Schema: at most 14 hours
    r"(?:\[([\w+-]{1,32}(?:/[\w+-]{1,32}){0,2})\])?",  # as Java's ZonedDateTime writes its zone
    re.ASCII | re.IGNORECASE,
)


class UnreadableError(ValueError):
    """A text is no value of its type."""


def read_odd_time(text: str, zone: tzinfo) -> tuple[datetime | None, bool]:
    """Read a dateTime in any form that is known, as ``receiver.read_time`` says.

    Raises:
        UnreadableError: the text is no date and time; or the day, hour or zone does not exist.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise UnreadableError(text)
    *parts, seconds, fraction, offset, name = match.groups()
    year, month, day, hour, minute = map(int, parts)
    second = int(seconds or 0)
    digits = (fraction or "").ljust(6, "0")
    try:
        if (year, month, day) == (1, 1, 1):
            return None, True
        midnight = hour == 24 and not (minute or second or digits.strip("0"))  # XML Schema's end of a day
        local = datetime(year, month, day, 0 if midnight else hour, minute, second, int(digits[:6]))  # noqa: DTZ001 - its zone follows
        local += timedelta(days=midnight)
        told = _zone(offset) if offset else _named_zone(name) if name else zone
        instant = local.replace(tzinfo=told).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UnreadableError(text) from error
    return instant, bool(offset and seconds) and not digits[6:].strip("0")


@lru_cache(maxsize=64)
def _named_zone(name: str) -> tzinfo:
    """Return a zone by its name. ValueError: there is none."""
    try:
        return ZoneInfo(name)
    except (OSError, ZoneInfoNotFoundError) as error:  # a folder of zones; no zone
        raise ValueError(name) from error


@lru_cache(maxsize=256)
def _zone(offset: str) -> tzinfo:
    if offset.upper() in {"Z", "UTC", "GMT"}:
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[3:].lstrip(":") or 0)
    span = timedelta(hours=hours, minutes=minutes)  # one sign for both, or -09:30 would become -08:30
    return timezone(-span if offset[0] == "-" else span)
