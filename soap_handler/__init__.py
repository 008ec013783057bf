"""Receives what Esendex EMS pushes, keeps it until your code has handled it, and then empties the inbox."""

from __future__ import annotations

from soap_handler.dispatch.handlers import Handlers
from soap_handler.errors import GiveUp, RetryLater
from soap_handler.notifications import (
    ErrorType,
    EventCode,
    EventType,
    FailureReason,
    Kind,
    MessageError,
    MessageEvent,
    MessageReceived,
    MessageType,
    Notification,
    SubscriptionEvent,
)

__all__ = [
    "ErrorType",
    "EventCode",
    "EventType",
    "FailureReason",
    "GiveUp",
    "Handlers",
    "Kind",
    "MessageError",
    "MessageEvent",
    "MessageReceived",
    "MessageType",
    "Notification",
    "RetryLater",
    "SubscriptionEvent",
]
