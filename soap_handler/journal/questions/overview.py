"""The overview: all that a person on call looks at first, read at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from soap_handler.journal.inbox.gates import gates
from soap_handler.journal.inbox.reconciliations import latest_runs
from soap_handler.journal.questions.deaths import by_error
from soap_handler.journal.questions.deliveries import deliveries
from soap_handler.journal.questions.pace import pace
from soap_handler.journal.questions.processes import processes
from soap_handler.journal.questions.size import size
from soap_handler.journal.questions.states import consistently, states
from soap_handler.journal.questions.waiting import waiting
from soap_handler.journal.records import State, Step
from soap_handler.journal.schema import notification

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from soap_handler.journal.inbox.reconciliations import Reconciliation
    from soap_handler.journal.journal import Journal
    from soap_handler.journal.questions.deaths import Deaths
    from soap_handler.journal.questions.deliveries import Delivery
    from soap_handler.journal.questions.pace import Pace
    from soap_handler.journal.questions.processes import Process
    from soap_handler.journal.questions.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Inbox:
    """An inbox whose login EMS refused."""

    account: str
    refusals: int
    """How often in a row."""
    since: datetime | None
    """When it was refused first; ``None`` where an earlier release wrote it down."""
    retry_at: datetime
    """When one call finds out again."""
    reason: str | None


@dataclass(frozen=True, slots=True)
class Overview:
    """What the journal says of the whole service. Times are of the wall clock."""

    at: datetime
    states: Mapping[State, int]
    handling: Waiting
    deleting: Waiting
    pace: Pace
    last_stored_at: datetime | None
    deaths: Sequence[Deaths]
    inboxes: Sequence[Inbox]
    """Those whose login EMS refused."""
    reconciliations: Sequence[Reconciliation]
    """The last run of each account that came to an end, and no other."""
    deliveries: Sequence[Delivery]
    processes: Sequence[Process]
    size: int
    """Bytes."""
    ahead: timedelta
    """By how much the queue's clock is ahead of the wall clock."""


def overview(journal: Journal) -> Overview:
    """Ask the journal everything.

    Raises:
        JournalUnavailableError: it is out of reach.
    """
    at, queue_now = journal.now(), journal.queue_now()
    # Both clocks are read a moment apart, so that less than a second is no difference.
    ahead = timedelta(seconds=round((queue_now - at).total_seconds()))
    return journal.read(lambda connection: look(connection, at, ahead))


def look(connection: Connection, at: datetime, ahead: timedelta) -> Overview:
    """Ask everything on a fresh connection; arguments are fields of :class:`Overview`."""
    consistently(connection)
    queue_now = at + ahead
    by_state = states(connection)
    newest = select(func.max(notification.c.seq)).scalar_subquery()
    return Overview(
        at=at,
        states=by_state,
        handling=waiting(connection, Step.HANDLE, queue_now),
        deleting=waiting(connection, Step.DELETE, queue_now),
        pace=pace(connection, at),
        last_stored_at=connection.scalar(select(notification.c.received_at).where(notification.c.seq == newest)),
        deaths=by_error(connection, State.DEAD) if by_state[State.DEAD] else [],
        inboxes=_refused(connection, ahead),
        reconciliations=latest_runs(connection),
        deliveries=deliveries(connection),
        processes=processes(connection, queue_now),
        size=size(connection),
        ahead=ahead,
    )


def _refused(connection: Connection, ahead: timedelta) -> list[Inbox]:
    return [
        Inbox(gate.account, gate.refusals, gate.refused_at, gate.retry_at - ahead, gate.reason)
        for gate in sorted(gates(connection), key=lambda gate: gate.account)
        if gate.refusals
    ]
