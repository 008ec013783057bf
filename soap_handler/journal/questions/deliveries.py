"""How deliveries went lately, by account and kind: what the journal knows of destinations and their circuit breakers.

The journal does not know which destination takes a notification: the routes of the settings say that. A breaker is the
memory of a process. Where one is open, the history has the outcome ``paused``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from soap_handler.journal.records import Step
from soap_handler.journal.schema import attempt, notification
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_ATTEMPTS: Final = 1_000
"""Of the latest attempts, so many are looked at."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The latest attempt at handling, of one account and kind."""

    account: str
    kind: Kind
    at: datetime
    outcome: str
    error: str | None

    @property
    def is_paused(self) -> bool:
        """Whether a circuit breaker was open then."""
        return self.outcome == "paused"


def deliveries(connection: Connection) -> list[Delivery]:
    """Return the latest attempt of each account and kind that has one among the latest attempts."""
    newest = select(attempt).order_by(attempt.c.id.desc()).limit(_ATTEMPTS).subquery()
    query = (
        select(notification.c.account, notification.c.kind, newest.c.ended_at, newest.c.outcome, newest.c.error)
        .select_from(newest.join(notification, notification.c.seq == newest.c.seq))
        .where(newest.c.step == Step.HANDLE.value)
        .order_by(newest.c.id)
    )
    rows = connection.execute(query)
    latest = {(account, kind): Delivery(account, Kind(kind), *rest) for account, kind, *rest in rows}
    return [latest[of] for of in sorted(latest)]
