"""The only door to the EMS inbox: calls, deletes, reconciliation."""

from __future__ import annotations

from soap_handler.inbox.circuit_breaker import CircuitBreaker
from soap_handler.inbox.client import Inbox
from soap_handler.inbox.messages import InboxMessage, Unreadable

__all__ = ["CircuitBreaker", "Inbox", "InboxMessage", "Unreadable"]
