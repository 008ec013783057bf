"""Backlog: how much waits in the journal and for how long, by step and account. For metrics.

It reads the partial indexes of what is waiting, so a long history costs nothing. A long backlog costs its own length,
and so the caller keeps the answer for a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, select

from soap_handler.journal.records import State
from soap_handler.journal.schema import in_state, inbox_gate, notification

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_table = notification.c

STEPS: Final = {State.RECEIVED: "handle", State.HANDLED: "delete", State.DEAD: "dead"}
"""The step that a notification in a state waits for, as metrics call it."""
_SINCE: Final = {State.RECEIVED: _table.received_at, State.HANDLED: _table.handled_at, State.DEAD: _table.received_at}


class Share(NamedTuple):
    """What of one account waits for one step. What is being worked on counts too."""

    step: str
    account: str
    number: int
    oldest: datetime | None
    """Since when the oldest has waited, by the clock for people."""


class Backlog(NamedTuple):
    """Everything that waits, and the inboxes that refuse us."""

    waiting: tuple[Share, ...]
    refused: frozenset[str]
    """The accounts whose inbox login EMS refuses."""
    at: datetime
    """When it was looked at, by the same clock."""


def backlog(connection: Connection, now: datetime) -> Backlog:
    """Return what waits now."""
    waiting = tuple(each for state in STEPS for each in _waiting(connection, state))
    gates = connection.execute(select(inbox_gate.c.account).where(inbox_gate.c.refusals > 0))
    return Backlog(waiting, frozenset(gates.scalars()), now)


def _waiting(connection: Connection, state: State) -> list[Share]:
    query = select(_table.account, func.count(), func.min(_SINCE[state])).where(in_state(state))
    rows = connection.execute(query.group_by(_table.account))
    return [Share(STEPS[state], account, number, oldest) for account, number, oldest in rows]
