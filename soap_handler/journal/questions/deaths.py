"""What is dead, or waits, and why: grouped by the text of the last error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from soap_handler.journal.conditions import last_error_id
from soap_handler.journal.schema import attempt, in_state, notification

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from soap_handler.journal.records import State

MOST_EXAMINED: Final = 10_000
"""Dead notifications, the latest ones, whose errors are read: a second is enough for them, whatever died before."""


@dataclass(frozen=True, slots=True)
class Deaths:
    """The dead, or the waiting ones, of one error."""

    error: str | None
    """``None`` where the history has none."""
    count: int
    last_at: datetime | None
    """When the last of them failed for the last time."""
    key: str
    """Of the one that was stored last."""


def by_error(connection: Connection, state: State, most: int = MOST_EXAMINED) -> list[Deaths]:
    """Return what is in a state by error, the most frequent first; of more than ``most``, the latest."""
    table = notification.c
    latest = select(table.seq, last_error_id(table.seq).label("failed_in")).where(in_state(state))
    # The sum keeps an engine from going through the whole table by number: the state has an index, with few rows.
    dead = latest.order_by((table.seq + 0).desc()).limit(most).subquery()
    number = func.count()
    groups = (
        select(attempt.c.error, number, func.max(attempt.c.ended_at), func.max(dead.c.seq))
        .select_from(dead.outerjoin(attempt, attempt.c.id == dead.c.failed_in))
        .group_by(attempt.c.error)
        .order_by(number.desc(), func.max(dead.c.seq).desc())
    )
    rows = connection.execute(groups).all()
    shown = select(table.seq, table.key).where(table.seq.in_([row[3] for row in rows]))
    keys = dict(connection.execute(shown).all())
    return [Deaths(error, count, last_at, keys[seq]) for error, count, last_at, seq in rows]
