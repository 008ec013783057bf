"""What waits at each step: how much, since when, and what for. Answered from the partial indexes of the queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, case, func, select

from soap_handler.journal.records import State, Step
from soap_handler.journal.schema import attempt, in_state, notification

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

_STATE: Final = {Step.HANDLE: State.RECEIVED, Step.DELETE: State.HANDLED}
_NO_ATTEMPT: Final = ("paused", "lost")
"""Outcomes that count as no attempt."""
_table = notification.c


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one step."""

    step: Step
    count: int
    due: int
    """Could be taken up now, and is not being worked on."""
    in_work: int
    """Leased: a process works on it."""
    behind: int
    """Waits for another one of its originator."""
    oldest_at: datetime | None
    """When the one that was stored first was stored; ``None`` where nothing waits."""
    oldest_key: str | None
    oldest_is_again: bool
    """Whether that one was sent round again, by a person or a reconciliation, and has not been tried since."""
    due_since: datetime | None
    """The earliest due time of all, by the queue's clock."""

    @property
    def later(self) -> int:
        """How many wait for the time of a retry."""
        return self.count - self.due - self.in_work - self.behind


def waiting(connection: Connection, step: Step, now: datetime) -> Waiting:
    """Return what waits for a step; ``now`` is of the queue's clock."""
    here = in_state(_STATE[step])
    is_due = _table.due_at <= now
    columns = (func.count(), _count_of(is_due), func.min(_table.due_at), func.min(_table.seq))
    count, due, due_since, first = connection.execute(select(*columns).where(here)).one()
    # Only rows with a time that has yet to come are looked up in the table: a backlog is due, however long it is.
    owned, parked = _table.owner.is_not(None), _table.parked_at.is_not(None)
    kinds = select(_count_of(owned), _count_of(and_(parked, _table.owner.is_(None))))
    in_work, behind = connection.execute(kinds.where(here, _table.due_at > now)).one()
    oldest = _oldest(connection, step, first)
    return Waiting(step, count, due, in_work, behind, *oldest, due_since)


def _oldest(connection: Connection, step: Step, seq: int | None) -> tuple[datetime | None, str | None, bool]:
    row = connection.execute(select(_table.received_at, _table.key, _table.attempts).where(_table.seq == seq)).first()
    if row is None:
        return None, None, False
    tried = select(attempt.c.step, attempt.c.outcome).where(attempt.c.seq == seq).order_by(attempt.c.id.desc()).limit(1)
    last = connection.execute(tried).first()
    if last is None:
        return row.received_at, row.key, False
    if step is Step.DELETE:
        again = last.step == Step.DELETE.value and last.outcome == "ok"
    else:
        again = row.attempts == 0 and last.outcome not in _NO_ATTEMPT
    return row.received_at, row.key, again


def _count_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))
