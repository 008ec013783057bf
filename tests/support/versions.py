"""What a version of the API cannot say of a notification: the table of the page ``versions``."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from soap_handler.contract import Version
from soap_handler.notifications import (
    ErrorType,
    EventCode,
    MessageError,
    MessageReceived,
    MessageType,
    SubscriptionEvent,
)

if TYPE_CHECKING:
    from soap_handler.notifications import Notification


def as_said_in(version: Version, notification: Notification) -> Notification:
    """Return what is left of a notification when a version of the API has said it."""
    if version is Version.FORM_POST:
        return _as_a_form_has_it(notification)
    return _as_xml_push_has_it(notification) if version is Version.XML_PUSH else notification


def named_as_in(version: Version, notification: Notification) -> Notification:
    """Return what is left of a notification, with the name of its own that XML push gives it.

    So its key is that of the notification which arrives.
    """
    said = as_said_in(version, notification)
    if version is not Version.XML_PUSH or said.notification_id:
        return said
    return replace(said, notification_id=str(uuid.uuid5(uuid.NAMESPACE_URL, notification.key)))


def _as_a_form_has_it(notification: Notification) -> Notification:
    changes: dict[str, Any] = {}
    for name in ("sent_at", "received_at", "occurred_at"):
        when = getattr(notification, name, None)
        if when is not None:
            changes[name] = when.replace(microsecond=0)
    if isinstance(notification, MessageError):
        changes["failure_reason"] = None
    return replace(notification, **changes)


def _as_xml_push_has_it(notification: Notification) -> Notification:
    match notification:
        case MessageReceived():
            return replace(notification, type=MessageType(""), sent_at=None, received_at=None)
        case MessageError():
            return replace(notification, error_type=ErrorType.FAILED, detail="")
        case SubscriptionEvent(event_code=EventCode.UNSUBSCRIBE):
            return replace(notification, contact_id="")
        case _:
            return notification
