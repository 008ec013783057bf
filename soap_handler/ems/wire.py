"""Serialisation of notifications as .NET writes them: times, control characters, ids. Nothing is sent here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from soap_handler.contract import CREDENTIALS, INBOX_MESSAGE, OPERATIONS, MessageStatus, Structure, Type
from soap_handler.xml.control_characters import shield

if TYPE_CHECKING:
    from collections.abc import Iterable

    from soap_handler.contract import Parameter, ParameterType, Version
    from soap_handler.ems.accounts import EmsAccount
    from soap_handler.notifications import MessageReceived, Notification

NOT_SET: Final = "0001-01-01T00:00:00"
"""What .NET writes for a time that is not set (contract, section 4)."""

_SUMMER: Final = timezone(timedelta(hours=1))


def dotnet_time(when: datetime | None) -> str:
    """Return a time as .NET writes it: seven fraction digits, and ``Z`` or an offset.

    Times in odd seconds get the offset ``+01:00`` and the others ``Z``, so that a handler meets both.
    """
    if when is None:
        return NOT_SET
    when = when.astimezone(_SUMMER if when.second % 2 else UTC)
    text = f"{when.replace(tzinfo=None).isoformat(timespec='microseconds')}0"
    return text + ("+01:00" if when.tzinfo is _SUMMER else "Z")


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
