"""Serialisation of notifications as .NET writes them: times, control characters, ids. Nothing is sent here."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from soap_handler.contract import CREDENTIALS, INBOX_MESSAGE, OPERATIONS, MessageStatus, Structure, Type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from soap_handler.contract import Parameter, ParameterType, Version
    from soap_handler.ems.accounts import EmsAccount
    from soap_handler.notifications import MessageReceived, Notification

NOT_SET: Final = "0001-01-01T00:00:00"
"""What .NET writes for a time that is not set (contract, section 4)."""

_SUMMER: Final = timezone(timedelta(hours=1))

# XML libraries refuse control characters; .NET writes them as references. In the library they are private characters
# from the end of Unicode, which no phone sends. In the finished bytes these become references.
_PRIVATE: Final = 0x10F700
_SHIELDED: Final = {code: chr(_PRIVATE + code) for code in range(0x20) if chr(code) not in "\t\n\r"}
_SHIELDED_BYTES: Final = re.compile(rb"\xf4\x8f\x9c([\x80-\x9f])")


def dotnet_time(when: datetime | None) -> str:
    """Return a time as .NET writes it: seven fraction digits, and ``Z`` or an offset.

    Times in odd seconds get the offset ``+01:00`` and the others ``Z``, so that a handler meets both.
    """
    if when is None:
        return NOT_SET
    when = when.astimezone(_SUMMER if when.second % 2 else UTC)
    text = f"{when.replace(tzinfo=None).isoformat(timespec='microseconds')}0"
    return text + ("+01:00" if when.tzinfo is _SUMMER else "Z")


def shield(text: str) -> str:
    """Replace control characters by private ones, for an XML library; :func:`unshield` is the way back."""
    return text.translate(_SHIELDED)


def unshield(document: bytes) -> bytes:
    """Write the shielded control characters of a finished document as references, such as ``&#xC;``."""
    return _SHIELDED_BYTES.sub(lambda found: b"&#x%X;" % (found[1][0] - 0x80), document)


def parameters(notification: Notification, *, upper_case_id: bool = False) -> dict[str, Any]:
    """Return the operation's parameters by their names on the wire (contract, section 1)."""
    written = _members(notification, OPERATIONS[notification.kind].parameters)
    if upper_case_id and "id" in written:
        written["id"] = written["id"].upper()
    return written


def credentials(account: EmsAccount, version: Version) -> dict[str, str]:
    """Return what EMS presents to the Account Event Handler, by the names in a version of the API."""
    values = {
        "username": account.push_username,
        "password": account.push_password,
        "account": account.pushed_as or account.reference,
    }
    return {each.spellings[version]: values[each.attribute] for each in CREDENTIALS}


def inbox_message(message: MessageReceived) -> dict[str, Any]:
    """Return the fields of a message as the inbox lists it (contract, section 2); times are texts."""
    known = (each for each in INBOX_MESSAGE if each.attribute)
    return {**_members(message, known), "status": str(MessageStatus.DELIVERED), "username": ""}


def _members(value: object, members: Iterable[Parameter]) -> dict[str, Any]:
    return {each.name: _written(getattr(value, each.attribute), each.type) for each in members}


def _written(value: Any, kind: ParameterType) -> Any:  # noqa: ANN401 - any attribute of any notification
    match kind:
        case Structure():
            return None if value is None else _members(value, kind.members)
        case Type.TIME:
            return dotnet_time(value)
        case Type.NUMBER:
            return value or 0
        case Type.BOOLEAN:
            return bool(value)
        case _:
            return shield(str(value))
