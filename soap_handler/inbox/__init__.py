"""The only door to the EMS inbox, and so the only user of zeep. When it is knocked at is decided elsewhere."""

from __future__ import annotations

from soap_handler.inbox.circuit_breaker import Gate
from soap_handler.inbox.client import Inbox
from soap_handler.inbox.messages import InboxMessage, Unreadable

__all__ = ["Gate", "Inbox", "InboxMessage", "Unreadable"]
