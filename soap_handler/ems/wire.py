"""How .NET writes the values of the contract: times, control characters, ids. Nothing here sends or receives."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from soap_handler.notifications import MessageError, MessageEvent, MessageReceived, SubscriptionEvent

if TYPE_CHECKING:
    from soap_handler.notifications import FailureReason, Notification

NOT_SET: Final = "0001-01-01T00:00:00"
"""What .NET writes for a time that is not set (contract, section 4)."""

_SUMMER: Final = timezone(timedelta(hours=1))

# XML libraries refuse control characters; .NET writes them as references. They travel through the library as private
# characters from the end of Unicode, which no phone sends, and become references in the finished bytes.
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
    """Make a text fit for an XML library; :func:`unshield` gives the bytes their control characters back."""
    return text.translate(_SHIELDED)


def unshield(document: bytes) -> bytes:
    """Write the shielded control characters of a finished document as references, such as ``&#xC;``."""
    return _SHIELDED_BYTES.sub(lambda found: b"&#x%X;" % (found[1][0] - 0x80), document)


def parameters(notification: Notification, *, upper_case_id: bool = False) -> dict[str, Any]:
    """Return the operation's parameters by their names on the wire (contract, section 1)."""
    match notification:
        case MessageReceived():
            values = _message_received(notification)
        case MessageEvent():
            occurred = dotnet_time(notification.occurred_at)
            values = {"id": notification.id, "eventtype": str(notification.event_type), "occurredat": occurred}
        case MessageError():
            values = _message_error(notification)
        case SubscriptionEvent():
            values = _subscription_event(notification)
    if upper_case_id and "id" in values:
        values["id"] = values["id"].upper()
    return values


def _message_received(message: MessageReceived) -> dict[str, Any]:
    return {
        "id": message.id,
        "originator": message.originator,
        "recipient": message.recipient,
        "body": shield(message.body),
        "type": str(message.type),
        "sentat": dotnet_time(message.sent_at),
        "receivedat": dotnet_time(message.received_at),
    }


def _message_error(error: MessageError) -> dict[str, Any]:
    return {
        "id": error.id,
        "errortype": str(error.error_type),
        "occurredat": dotnet_time(error.occurred_at),
        "detail": shield(error.detail),
        "failurereason": _failure_reason(error.failure_reason),
    }


def _failure_reason(reason: FailureReason | None) -> dict[str, Any] | None:
    if reason is None:
        return None
    return {
        "code": reason.code or 0,
        "description": shield(reason.description),
        "permanentfailure": bool(reason.permanent_failure),
    }


def _subscription_event(event: SubscriptionEvent) -> dict[str, Any]:
    return {
        "mobileNumber": event.mobile_number,
        "contactID": event.contact_id,
        "eventCode": str(event.event_code),
        "occurredAt": dotnet_time(event.occurred_at),
    }
