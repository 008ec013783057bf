"""Counters of the simulated EMS, kept apart from those of the program under test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Snapshot of the counters. Copies of a notification have the same key, so they count as one."""

    pushed: int = 0
    """Distinct notifications that were to be pushed."""
    sends: int = 0
    """Calls of the Account Event Handler that ended, with success or not."""
    acknowledged: int = 0
    """Distinct notifications that got HTTP 200 with the empty response at least once."""
    duplicates: int = 0
    """Calls beyond the first for the same notification."""
    lost_answers: int = 0
    """Calls whose answer was dropped, as ordered."""
    given_up: int = 0
    """Notifications that were not acknowledged in time, and are pushed no more."""
    waiting: int = 0
    """Pushes that are not sent yet, or are being sent."""
    inbox: int = 0
    """Messages in all mailboxes."""
    deleted: int = 0
    """Messages that were deleted from the mailboxes."""
    refused_logins: int = 0
    """Inbox calls that were refused for their header."""
