"""How many notifications are in each state, counted by one statement over the indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from soap_handler.journal.records import State
from soap_handler.journal.schema import in_state, notification

if TYPE_CHECKING:
    from sqlalchemy import Connection

_WORK: Final = (State.RECEIVED, State.HANDLED, State.DEAD)
"""The states that have a partial index. What is done is the rest: it has none, since it is nearly everything."""


def states(connection: Connection) -> dict[State, int]:
    """Return how many notifications are in each state."""
    counted = [
        select(func.count()).select_from(notification).where(in_state(state)).scalar_subquery() for state in _WORK
    ]
    everything = select(func.count()).select_from(notification).scalar_subquery()
    total, *found = connection.execute(select(everything, *counted)).one()
    work = {state: int(number) for state, number in zip(_WORK, found, strict=True)}
    return {**work, State.DONE: int(total) - sum(work.values())}


def consistently(connection: Connection) -> None:
    """Have all that follows on a fresh connection see one moment. SQLite's transactions do so by themselves."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
