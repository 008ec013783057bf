"""Requests as bytes, made of parts that a case may replace by anything, and what each must become."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from soap_handler.contract import NAMESPACE, SOAP_11
from soap_handler.notifications import (
    KINDS,
    ErrorType,
    EventCode,
    EventType,
    FailureReason,
    Kind,
    MessageType,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.notifications import Notification

USERNAME: Final = "ems"
PASSWORD: Final = "s3cret-Pa55word"
REFERENCE: Final = "EX0012345"
XSI: Final = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
USUAL_TYPE: Final = "text/xml; charset=utf-8"

FIELDS: Final[dict[Kind, dict[str, str]]] = {
    Kind.MESSAGE_RECEIVED: {
        "id": "id",
        "originator": "originator",
        "recipient": "recipient",
        "body": "body",
        "type": "type",
        "sentat": "sent_at",
        "receivedat": "received_at",
    },
    Kind.MESSAGE_EVENT: {"id": "id", "eventtype": "event_type", "occurredat": "occurred_at"},
    Kind.MESSAGE_ERROR: {
        "id": "id",
        "errortype": "error_type",
        "occurredat": "occurred_at",
        "detail": "detail",
        "failurereason": "failure_reason",
    },
    Kind.SUBSCRIPTION_EVENT: {
        "mobileNumber": "mobile_number",
        "contactID": "contact_id",
        "eventCode": "event_code",
        "occurredAt": "occurred_at",
    },
}
"""The elements of each operation in their order, and the attributes that they become."""

_START: Final = datetime(2008, 6, 12, 9, 15, 30, tzinfo=UTC)


def _values(identity: uuid.UUID) -> dict[str, Any]:
    """Return values of every attribute that no other case has."""
    when = _START + timedelta(milliseconds=identity.int % 10**9)
    return {
        "id": str(identity),
        "originator": "447700900123",
        "recipient": "447786204254",
        "body": "Yes please",
        "type": MessageType.TEXT,
        "sent_at": when,
        "received_at": when + timedelta(seconds=1),
        "event_type": EventType.DELIVERED,
        "error_type": ErrorType.FAILED,
        "occurred_at": when,
        "detail": "It failed",
        "failure_reason": FailureReason(27, "Switched off", permanent_failure=False),
        "mobile_number": str(447700900000 + identity.int % 1000),
        "contact_id": str(identity),
        "event_code": EventCode.SUBSCRIBE,
    }


def _written(value: Any) -> bytes:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z").encode()
    if isinstance(value, FailureReason):
        inner = ("code", value.code), ("description", value.description), ("permanentfailure", "false")
        return b"".join(element(name, str(text).encode()) for name, text in inner)
    return str(value).encode()


def element(name: str, content: bytes, attributes: str = "") -> bytes:
    return f"<{name}{attributes and ' ' + attributes}>".encode() + content + f"</{name}>".encode()


HEADER: Final = (
    f'<MessengerHeader xmlns="{NAMESPACE}"><Username>{USERNAME}</Username>'
    f"<Password>{PASSWORD}</Password><Account>{REFERENCE}</Account></MessengerHeader>"
).encode()


@dataclass(frozen=True)
class Message:
    """A request in parts. Every part is bytes as they go over the wire."""

    kind: Kind
    identity: uuid.UUID
    parts: dict[str, bytes]
    """The elements of the operation, whole, by name."""
    notification: Notification
    """What it means as it stands."""
    header: bytes = HEADER
    declaration: bytes = b'<?xml version="1.0" encoding="utf-8"?>'
    operation: tuple[str, str] = ("", f'xmlns="{NAMESPACE}"')
    """The prefix (with its colon) and the attributes of the operation's element."""
    envelope: str = f'xmlns:soap="{SOAP_11}"'
    after: bytes = b""
    """What follows the operation in the Body."""
    content_type: str = USUAL_TYPE
    content_encoding: str = ""
    transform: Callable[[bytes], bytes] = bytes

    def bytes_(self) -> bytes:
        prefix, attributes = self.operation
        operation = element(f"{prefix}{self.kind}", b"".join(self.parts.values()), attributes)
        operation = operation.replace(f"</{prefix}{self.kind} ".encode(), f"</{prefix}{self.kind}".encode())
        head = b"<soap:Header>%s</soap:Header>" % self.header if self.header else b""
        body = element("soap:Body", operation + self.after)
        return self.transform(self.declaration + element("soap:Envelope", head + body, self.envelope))

    def with_part(self, name: str, part: bytes) -> Message:
        return replace(self, parts={**self.parts, name: part})

    def with_content(self, name: str, content: bytes) -> Message:
        return self.with_part(name, element(name, content))

    def written(self, name: str) -> bytes:
        """Return what stands between the tags of an element."""
        return _written(getattr(self.notification, FIELDS[self.kind][name]))

    def meaning(self, **attributes: Any) -> Message:
        return replace(self, notification=replace(self.notification, **attributes))


def message(kind: Kind, case: str) -> Message:
    """Return a good request that no other case's request is a duplicate of."""
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{case}")
    values = _values(identity)
    fields = FIELDS[kind]
    attributes = {attribute: values[attribute] for attribute in fields.values()}
    parts = {name: element(name, _written(values[attribute])) for name, attribute in fields.items()}
    return Message(kind, identity, parts, KINDS[kind](account=REFERENCE, **attributes))


def repaired_as(told: Message, *repaired: str, **attributes: Any) -> Message:
    """Return the request with these marks of repairs, and with other values of these attributes."""
    return told.meaning(repaired=repaired, **attributes)
