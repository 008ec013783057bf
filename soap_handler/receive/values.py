"""From the texts that a face read off the wire to a notification: dates, numbers, enumerations, ids.

No wire format and no XML here. What cannot be read is never refused: its text is kept in ``original``, its value is
``None``, and ``repaired`` says so (design, decision 2: a refusal would be pushed for three days and then be lost).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from soap_handler.notifications import (
    KINDS,
    ErrorType,
    EventCode,
    EventType,
    FailureReason,
    Kind,
    MessageType,
    Notification,
    OpenEnum,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

Fields = Mapping[str, "str | Fields | None"]
"""Texts by attribute name, as a face found them; ``failure_reason`` is a mapping of its own. Absent means absent."""

_DATE_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?\s?(Z|[+-]\d\d:?[0-5]\d)?", re.ASCII | re.IGNORECASE
)
# What Python reads by itself, more quickly: with an offset, and not of year 1.
_USUAL: Final = re.compile(
    r"(?!0001)\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d:\d\d(?:\.\d{1,6}(\d*))?(?:Z|[+-]\d\d:[0-5]\d)", re.ASCII
)
_WHOLE_NUMBER: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


class UnreadableError(ValueError):
    """The text is no value of its type."""


def read_notification(
    kind: Kind, fields: Fields, *, account: str, zone: tzinfo, repaired: tuple[str, ...] = ()
) -> Notification:
    """Return the notification of these texts.

    ``zone`` is that of times which carry none; ``repaired`` says what the face had to mend before it could read.
    """
    reader = _Reader(fields, zone, repaired=list(repaired))
    values = {name: read(reader, name) for name, read in _ATTRIBUTES[kind].items()}
    return KINDS[kind](account=account, original=reader.original, repaired=tuple(reader.repaired), **values)


@dataclass(slots=True)
class _Reader:
    """Reads one notification and remembers what it had to guess or give up."""

    fields: Fields
    zone: tzinfo
    repaired: list[str]
    original: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def identifier(self, name: str) -> str:
        return self.text(name).strip().lower()

    def time(self, name: str) -> datetime | None:
        text = self.text(name).strip()
        try:
            instant, exact = read_time(text, self.zone)
        except UnreadableError:
            self._give_up(name, text)
            return None
        if not exact:
            self.original[name] = text
        return instant

    def _give_up(self, name: str, text: str) -> None:
        if text:
            self.original[name] = text
        self.repaired.append(f"{name} {'unreadable' if text else 'missing'}")

    def value(self, name: str, read: Callable[[str], Any]) -> Any:  # noqa: ANN401 - of the type that ``read`` reads
        text = self.text(name).strip()
        try:
            return read(text)
        except UnreadableError:
            self._give_up(name, text)
            return None

    def failure(self, name: str) -> FailureReason | None:
        """Read ``failurereason``; EMS may leave it out, since it is a reference type in the WSDL."""
        fields = self.fields.get(name)
        if not isinstance(fields, Mapping):
            return None
        inner = _Reader(fields, self.zone, self.repaired, self.original)
        return FailureReason(
            code=inner.value("code", read_number),
            description=inner.text("description"),
            permanent_failure=inner.value("permanent_failure", read_boolean),
        )


def read_time(text: str, zone: tzinfo) -> tuple[datetime | None, bool]:
    """Read a dateTime as .NET writes it (contract, section 4), and say whether nothing was guessed or cut off.

    Up to seven fraction digits and more (cut to microseconds); ``Z``, an offset, or none (then ``zone`` holds); a space
    in place of the ``T``, as form posts have it. Year 1 is .NET for "not set" and gives ``None``.

    Raises:
        UnreadableError: the text is no date and time, or one that does not exist.
    """
    usual = _USUAL.fullmatch(text)
    if usual:
        try:
            return datetime.fromisoformat(text).astimezone(UTC), not (usual[1] or "").strip("0")
        except (ValueError, OverflowError):
            pass  # the long way finds out why; contextlib.suppress would take as long as the reading
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise UnreadableError(text)
    *parts, fraction, offset = match.groups()
    year, month, day, hour, minute, second = map(int, parts)
    digits = (fraction or "").ljust(6, "0")
    try:
        if (year, month, day) == (1, 1, 1):
            return None, True
        midnight = hour == 24 and not (minute or second or digits.strip("0"))  # XML Schema's end of a day
        local = datetime(year, month, day, 0 if midnight else hour, minute, second, int(digits[:6]))  # noqa: DTZ001 - its zone follows
        local += timedelta(days=midnight)
        instant = local.replace(tzinfo=_zone(offset) if offset else zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UnreadableError(text) from error
    return instant, bool(offset) and not digits[6:].strip("0")


@lru_cache(maxsize=256)
def _zone(offset: str) -> tzinfo:
    if offset in {"Z", "z"}:
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    span = timedelta(hours=hours, minutes=minutes)  # as one, or -09:30 would become -08:30
    return timezone(-span if offset[0] == "-" else span)


def read_number(text: str) -> int:
    """Read a whole number.

    Raises:
        UnreadableError: the text is none.
    """
    if not _WHOLE_NUMBER.fullmatch(text):
        raise UnreadableError(text)
    return int(text)


def read_boolean(text: str) -> bool:
    """Read a boolean, in XML Schema's spelling or in .NET's (``True``).

    Raises:
        UnreadableError: the text is none.
    """
    try:
        return _BOOLEANS[text.lower()]
    except KeyError as error:
        raise UnreadableError(text) from error


def _enumeration(cls: type[OpenEnum]) -> Callable[[_Reader, str], Any]:
    """Return a reader that keeps an unknown value as its text; an absent one is the empty text, and noted."""
    known = {member.value: member for member in cls}  # quicker than to call the class

    def read(reader: _Reader, name: str) -> Any:  # noqa: ANN401 - of the type ``cls``
        text = reader.text(name).strip()
        if not text:
            reader.repaired.append(f"{name} missing")
        return known.get(text) or cls(text)

    return read


_ATTRIBUTES: Final[dict[Kind, dict[str, Callable[[_Reader, str], Any]]]] = {
    Kind.MESSAGE_RECEIVED: {
        "id": _Reader.identifier,
        "originator": _Reader.text,
        "recipient": _Reader.text,
        "body": _Reader.text,
        "type": _enumeration(MessageType),
        "sent_at": _Reader.time,
        "received_at": _Reader.time,
    },
    Kind.MESSAGE_EVENT: {
        "id": _Reader.identifier,
        "event_type": _enumeration(EventType),
        "occurred_at": _Reader.time,
    },
    Kind.MESSAGE_ERROR: {
        "id": _Reader.identifier,
        "error_type": _enumeration(ErrorType),
        "occurred_at": _Reader.time,
        "detail": _Reader.text,
        "failure_reason": _Reader.failure,
    },
    Kind.SUBSCRIPTION_EVENT: {
        "mobile_number": _Reader.text,
        "contact_id": _Reader.text,
        "event_code": _enumeration(EventCode),
        "occurred_at": _Reader.time,
    },
}
