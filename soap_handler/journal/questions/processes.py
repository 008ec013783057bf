"""Which processes work on the journal, as far as it knows: those that hold a lease, or ended an attempt lately."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from soap_handler.journal.records import State
from soap_handler.journal.schema import attempt, in_state, notification

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_ATTEMPTS: Final = 1_000
"""Of the latest attempts, so many are looked at."""
_LEASES: Final = 1_000
_OWNER_PARTS: Final = 4  # host, process, a random text, the number of the claim
_table = notification.c


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a service."""

    host: str
    pid: int
    last_at: datetime | None
    """When it last ended an attempt; ``None`` where that is not among the latest attempts of all."""
    in_work: int
    """How many notifications it works on now."""


def processes(connection: Connection, now: datetime) -> list[Process]:
    """Return the processes by host and number; ``now`` is of the queue's clock. Idle ones leave no trace."""
    newest = select(attempt.c.owner, attempt.c.ended_at).order_by(attempt.c.id.desc()).limit(_ATTEMPTS).subquery()
    last_at: dict[tuple[str, int], datetime] = {}
    for owner, ended_at in connection.execute(
        select(newest.c.owner, func.max(newest.c.ended_at)).group_by(newest.c.owner)
    ):
        if process := process_of(owner):
            last_at[process] = max(ended_at, last_at.get(process, ended_at))
    in_work = Counter(filter(None, map(process_of, _owners(connection, now))))
    known = sorted(last_at.keys() | in_work.keys())
    return [Process(*process, last_at.get(process), in_work[process]) for process in known]


def _owners(connection: Connection, now: datetime) -> list[str]:
    """Return the owner of each lease that has not run out."""
    found: list[str] = []
    for state in (State.RECEIVED, State.HANDLED):
        leased = (in_state(state), _table.due_at > now, _table.owner.is_not(None))
        found += connection.scalars(select(_table.owner).where(*leased).limit(_LEASES)).all()
    return found


def process_of(owner: str) -> tuple[str, int] | None:
    """Return the host and the process that an owner names; ``None`` where a person did it by hand."""
    parts = owner.rsplit(":", _OWNER_PARTS - 1)
    return (parts[0], int(parts[1])) if len(parts) == _OWNER_PARTS and parts[1].isdecimal() else None
