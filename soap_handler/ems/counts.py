"""What the simulated EMS counted: its own books, kept apart from those of the program under test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A snapshot. Notifications are told apart by their key, so a copy does not count as another one."""

    pushed: int = 0
    """Distinct notifications that were to be pushed."""
    sends: int = 0
    """Calls of the Account Event Handler that ended, however they did."""
    acknowledged: int = 0
    """Distinct notifications that got HTTP 200 with the empty response at least once."""
    duplicates: int = 0
    """Calls beyond the first for the same notification."""
    lost_answers: int = 0
    """Calls whose answer was thrown away as ordered."""
    given_up: int = 0
    """Notifications that were not acknowledged in time, and are pushed no more."""
    waiting: int = 0
    """Deliveries that are still to be sent, or are being sent."""
    inbox: int = 0
    """Messages in all mailboxes."""
    deleted: int = 0
    """Messages that were deleted from the mailboxes."""
    refused_logins: int = 0
    """Inbox calls that were refused for their header."""
