"""Notifications for the journal's tests, a clock that stands still until it is told to go on, and short cuts."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from soap_handler.journal import Entry, Selection, Settlement, State, Step
from soap_handler.notifications import MessageReceived

if TYPE_CHECKING:
    from soap_handler.journal import Claim, Journal, Record

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
ANN, BOB = "447700900001", "447700900002"
"""Two originators."""


class Clock:
    """Tells the time that it was set to."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> datetime:
        self.moment += timedelta(seconds=seconds)
        return self.moment


def message(number: int, account: str = "EX0000001", originator: str = ANN) -> MessageReceived:
    """Return a message of its own for each number."""
    return MessageReceived(account=account, id=str(uuid.UUID(int=number + 1)), originator=originator, body=f"{number}")


def entry(number: int, received_at: datetime = START, account: str = "EX0000001") -> Entry:
    return Entry(message(number, account), received_at)


def ended(claim: Claim, state: State, due_at: datetime | None = None, error: str | None = None) -> Settlement:
    """Return how an attempt at the handler ended, one second after it began."""
    return Settlement(claim, Step.HANDLE, state, due_at, claim.leased_at, claim.leased_at + timedelta(seconds=1), error)


def only(journal: Journal) -> Record:
    """Return the one record that there is."""
    (record,) = journal.records(Selection())
    return record


def claim_in_order(journal: Journal, limit: int = 9, lease: timedelta = LEASE) -> list[Claim]:
    """Claim what may be handled where each originator's notifications keep their order."""
    return journal.claim(limit, lease, in_order=True)


def bodies(claims: list[Claim]) -> list[str]:
    """Return what the claimed messages say."""
    return [getattr(each.notification, "body", "") for each in claims]
