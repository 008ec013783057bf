"""Receives what Esendex EMS pushes, keeps it until your code has handled it, and then empties the inbox."""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; typing itself would double the time until Ctrl-C is obeyed
if TYPE_CHECKING:
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

_ELSEWHERE = {"Handlers": "dispatch.handlers", "GiveUp": "errors", "RetryLater": "errors"}

if not TYPE_CHECKING:  # with it, type checkers would find any name here

    def __getattr__(name: str) -> object:
        """Import what is asked for (PEP 562): the command imports this package before it can obey Ctrl-C."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib  # noqa: PLC0415 - as above

        return getattr(importlib.import_module(f"{__name__}.{_ELSEWHERE.get(name, 'notifications')}"), name)
