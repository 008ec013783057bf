"""Purge: deletes old, finished notifications, some at a time. When it runs is in ``retention``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import BigInteger, Column, Integer, Table, delete, func, insert, select, update

from soap_handler.journal.execute import Instant, queue_now
from soap_handler.journal.records import State
from soap_handler.journal.schema import metadata, notification, reconciliation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

ROWS_PER_STEP: Final = 200
"""Rows of one transaction: short enough that no push notices it."""

_LOCK: Final = 0x534F4150 << 8  # an advisory lock: any number of our own
_MICROSECOND: Final = timedelta(microseconds=1)

purge_mark = Table(
    "purge_mark",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("marked_at", Instant, nullable=False),  # by the queue's clock
    Column("passed", BigInteger, nullable=False),  # microseconds that surely have passed, in sum over all marks
    Column("last_seq", BigInteger, nullable=False),  # the newest notification then
)

_table = notification.c


MARKS_APART: Final = timedelta(minutes=20)
"""Marks are made no closer than this, so that they stay few."""


class Cut(NamedTuple):
    """A request for one step: of the rows that follow ``after``, delete those that were done before an instant."""

    before: datetime
    after: int = 0
    rows: int = ROWS_PER_STEP
    last: int | None = None
    """The newest row that may be deleted, whatever its times say; ``None`` is any."""


class Passing(NamedTuple):
    """A request to note that time passes, and to say what has been here for so long."""

    uptime: timedelta
    """How much of it the process has seen since it last asked, by a clock that does not step."""
    floor: timedelta


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
    if cut.last is not None:
        query = query.where(_table.seq <= cut.last)
    rows = connection.execute(query).all()
    old = [row.seq for row in rows if row.state == State.DONE.value and row.done_at < cut.before]
    deleted = 0
    if old:
        done_before = (_table.state == State.DONE.value) & (_table.done_at < cut.before)  # it may have changed since
        deleted = connection.execute(delete(notification).where(_table.seq.in_(old), done_before)).rowcount
        _lower_marks(connection)
    # Rows come in the order of storing, so behind rows that are all younger there are only younger ones.
    is_end = len(rows) < cut.rows or all(row.received_at >= cut.before for row in rows)
    return Cleared(deleted, None if is_end else rows[-1].seq)


def _lower_marks(connection: Connection) -> None:
    """Have no mark beyond the newest row: SQLite would give the number of a row that was the newest to another."""
    newest = connection.scalar(select(func.max(_table.seq))) or 0
    connection.execute(update(purge_mark).where(purge_mark.c.last_seq > newest).values(last_seq=newest))


def pass_time(connection: Connection, passings: Sequence[Passing]) -> list[int]:
    """Make a mark, and return the newest row that was here when ``floor`` of surely passed time began; 0 for none.

    Time has surely passed where both the process has seen it and the queue's clock says so since the last mark of any
    process: several that share a journal do not count it twice, and no step of a clock makes a row old.
    """
    return [_pass_time(connection, passing) for passing in passings]


def _pass_time(connection: Connection, passing: Passing) -> int:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    now, marks = queue_now(connection), purge_mark.c
    latest = connection.execute(select(purge_mark).order_by(marks.id.desc()).limit(1)).first()
    if latest is None:
        passed = 0
    else:
        since = now - latest.marked_at
        seen = passing.uptime if since < timedelta() else min(passing.uptime, since)
        passed = latest.passed + seen // _MICROSECOND
    if latest is None or passed - latest.passed >= MARKS_APART // _MICROSECOND or latest.marked_at > now:
        newest = connection.scalar(select(func.max(_table.seq))) or 0
        connection.execute(insert(purge_mark).values(marked_at=now, passed=passed, last_seq=newest))
    old = marks.passed <= passed - passing.floor // _MICROSECOND
    known = connection.execute(select(marks.id, marks.last_seq).where(old).order_by(marks.id.desc()).limit(1)).first()
    if known is None:
        return 0
    connection.execute(delete(purge_mark).where(marks.id < known.id))
    return int(known.last_seq)


def purge_runs(connection: Connection, instants: Sequence[datetime]) -> list[int]:
    """Delete the records of reconciliations that began before an instant; return how many there were."""
    began = reconciliation.c.started_at
    return [connection.execute(delete(reconciliation).where(began < before)).rowcount for before in instants]
