"""Purge: deletes old, finished notifications, some at a time. When it runs is in ``retention``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import delete, select

from soap_handler.journal.records import State
from soap_handler.journal.schema import notification, reconciliation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

ROWS_PER_STEP: Final = 200
"""Rows of one transaction: short enough that no push notices it."""

_table = notification.c


class Cut(NamedTuple):
    """A request for one step: of the rows that follow ``after``, delete those that were done before an instant."""

    before: datetime
    after: int = 0
    rows: int = ROWS_PER_STEP


class Cleared(NamedTuple):
    """The result of one step."""

    deleted: int
    after: int | None
    """Where the next step begins; ``None`` when the end of what can be old is reached."""


def purge(connection: Connection, cuts: Sequence[Cut]) -> list[Cleared]:
    """Delete done rows with their attempts; what is waiting, handled or dead stays, however old it is."""
    return [_purge(connection, cut) for cut in cuts]


def _purge(connection: Connection, cut: Cut) -> Cleared:
    columns = (_table.seq, _table.state, _table.received_at, _table.done_at)
    query = select(*columns).where(_table.seq > cut.after).order_by(_table.seq).limit(cut.rows)
    rows = connection.execute(query).all()
    old = [row.seq for row in rows if row.state == State.DONE.value and row.done_at < cut.before]
    deleted = 0
    if old:
        done_before = (_table.state == State.DONE.value) & (_table.done_at < cut.before)  # it may have changed since
        deleted = connection.execute(delete(notification).where(_table.seq.in_(old), done_before)).rowcount
    # Rows come in the order of storing, so behind rows that are all younger there are only younger ones.
    is_end = len(rows) < cut.rows or all(row.received_at >= cut.before for row in rows)
    return Cleared(deleted, None if is_end else rows[-1].seq)


def purge_runs(connection: Connection, instants: Sequence[datetime]) -> list[int]:
    """Delete the records of reconciliations that began before an instant; return how many there were."""
    began = reconciliation.c.started_at
    return [connection.execute(delete(reconciliation).where(began < before)).rowcount for before in instants]
