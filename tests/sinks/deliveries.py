"""Notifications that are awkward to pass on, and what every sink must make of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from soap_handler.notifications import (
    ErrorType,
    FailureReason,
    MessageError,
    MessageEvent,
    MessageReceived,
    SubscriptionEvent,
)
from soap_handler.sinks.base import Delivery

WHEN: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
STORED: Final = datetime(2026, 3, 2, 8, 0, 1, 250000, tzinfo=UTC)

AWKWARD: Final = {
    "emoji": "Grüße 🚌 — «ça va»",
    "cdata": "a ]]> b & c < d",
    "nul": "a\0b",
    "surrogate": "half \ud83d of one",
    "lines": "one\r\ntwo\ttabs\n",
    "long": "x€" * 5000,
    "empty": "",
}
"""Texts by what is awkward about them."""


def received(identity: str = "00000000-0000-4000-8000-000000000001", body: str = "hello") -> Delivery:
    """Return a message that arrived."""
    return Delivery(
        MessageReceived(
            account="EX0000001",
            id=identity,
            originator="447700900123",
            recipient="447700900456",
            body=body,
            sent_at=WHEN,
            received_at=WHEN,
        ),
        STORED,
    )


ALL_KINDS: Final = [
    received(),
    Delivery(MessageEvent(account="EX0000001", id="e1", occurred_at=WHEN), STORED, 2),
    Delivery(
        MessageError(
            account="EX0000001",
            id="e2",
            error_type=ErrorType("Exploded"),  # a value that the contract does not list
            failure_reason=FailureReason(27, "off", permanent_failure=False),
            original={"occurred_at": "yesterday"},
            repaired=("occurred_at",),
        ),
        STORED,
    ),
    Delivery(SubscriptionEvent(account="EX0000001", mobile_number="447700900001", contact_id="c"), STORED),
]
