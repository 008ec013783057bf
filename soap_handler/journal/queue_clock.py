"""Setting the queue's clock to that of all who share the journal, and mending due times where that clock was moved.

PostgreSQL: all hosts follow the database's clock. It may jump itself: then no lease is taken for expired during one
lease time, and what lies too far ahead is made due.

SQLite: all processes are on one machine, whose uptime no step moves. The first of them after a start of the machine
notes what the wall clock says at uptime 0, and the others take that over. Where the system does not tell its starts
apart, the queue's clock is the wall clock.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import Column, Table, Text, delete, insert, literal_column, or_, select, update

from soap_handler import clock, telemetry
from soap_handler.journal.databases.sqlite import READ_ONLY
from soap_handler.journal.execute import QUEUE_CLOCK, Instant, from_number
from soap_handler.journal.records import State
from soap_handler.journal.schema import in_state, metadata, notification

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine

    from soap_handler.clock import QueueClock

REFRESH_SECONDS: Final = 1.0
"""How long a process on PostgreSQL trusts its last look at the database's clock."""
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

SERVER_NOW: Final = "CAST(extract(epoch FROM {}()) * 1000000 AS BIGINT)"
"""PostgreSQL's clock, by one of its functions, as an :class:`Instant` is stored."""
_JUMP: Final = timedelta(seconds=2)  # a difference of more is no delay of the network
_FALL_SECONDS: Final = 5.0  # after a fall: what was written just before it was noticed comes in that time
_LOOK_LIMIT_SECONDS: Final = 0.5  # a slower answer says too little about the moment at which it was given
_table = notification.c
_setting = Table(
    "queue_clock",
    metadata,
    # On SQLite alone, and one row: what the queue's clock says where the machine's uptime is 0.
    Column("boot", Text, primary_key=True),  # of which start of the machine
    Column("zero", Instant, nullable=False),
)


def join(engine: Engine, queue_clock: QueueClock) -> None:
    """Set the clock as the others of this journal have theirs."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            _look(connection, queue_clock)
    elif boot := _boot():
        with engine.connect().execution_options(**READ_ONLY) as connection:
            zero = connection.scalar(select(_setting.c.zero).where(_setting.c.boot == boot))
        set_to(queue_clock, zero if zero is not None else _begin(engine, boot), 0.0)


def _boot() -> str | None:
    """Return the name of this start of the machine, where the system has one."""
    with suppress(OSError):
        return BOOT_ID.read_text(encoding="ascii").strip()
    return None


def _begin(engine: Engine, boot: str) -> datetime:
    """Note the zero of a new start of the machine, unless another process was first; return it.

    No lease of before is held by any process, and how long each back-off still had is not known: all is due.
    """
    with engine.begin() as connection:
        first: datetime | None = connection.scalar(select(_setting.c.zero).where(_setting.c.boot == boot))
        if first is not None:
            return first
        now = clock.now()
        zero = now - timedelta(seconds=clock.uptime())
        connection.execute(delete(_setting))
        connection.execute(insert(_setting).values(boot=boot, zero=zero))
        connection.execute(update(notification).where(waits(), _table.due_at > now).values(due_at=now))
        return zero


class Doubts(NamedTuple):
    """What a claim on PostgreSQL must not rely on."""

    of_leases: bool = False
    """A lease of another process may only seem to have run out: none is taken until each of them has ended."""
    of_clock: bool = False
    """Our instant may be one of before a jump: it counts only where it is the server's."""


NO_DOUBTS: Final = Doubts()
"""A claim on SQLite."""


def follow(connection: Connection, lease: timedelta) -> Doubts:
    """Follow PostgreSQL's clock before a claim for so long; after it was set back, pull in what lies too far ahead."""
    queue_clock: QueueClock = connection.get_execution_options()[QUEUE_CLOCK]
    if queue_clock.zero is None:
        return NO_DOUBTS
    if clock.uptime() - queue_clock.set_at >= REFRESH_SECONDS:
        _look(connection, queue_clock)
        if clock.uptime() - queue_clock.fell_at < _FALL_SECONDS:
            _pull_in(connection, queue_clock.now(), lease)
    jumped = clock.uptime() - queue_clock.jumped_at < lease.total_seconds() + REFRESH_SECONDS
    return Doubts(of_leases=jumped, of_clock=True)


def _look(connection: Connection, queue_clock: QueueClock) -> None:
    asked = clock.uptime()
    number = connection.scalar(select(literal_column(SERVER_NOW.format("clock_timestamp"))))
    answered = clock.uptime()
    moment = from_number(number)
    if moment is not None and (answered - asked < _LOOK_LIMIT_SECONDS or queue_clock.zero is None):
        set_to(queue_clock, moment, (asked + answered) / 2)


def set_to(queue_clock: QueueClock, moment: datetime, at: float) -> None:
    """Set the clock: it was this moment when the uptime was ``at``. A jump against the last setting is noted."""
    if queue_clock.source is not None:
        return
    zero = moment - timedelta(seconds=at)
    jump = zero - (queue_clock.zero or zero)
    queue_clock.zero, queue_clock.set_at = zero, at
    if abs(jump) > _JUMP:
        queue_clock.jumped_at = at
        if jump < timedelta():
            queue_clock.fell_at = at
        telemetry.emit("database_clock_jumped", seconds=round(jump.total_seconds(), 1))


def is_right(now: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Return the condition that an instant is the present one by PostgreSQL's clock, give or take a little."""
    server: ColumnElement[datetime] = literal_column(SERVER_NOW.format("statement_timestamp"), Instant())
    return now.between(_plus(server, -_JUMP), _plus(server, _JUMP))


def _plus(server: ColumnElement[datetime], duration: timedelta) -> ColumnElement[datetime]:
    return literal_column(f"{server} + {duration // timedelta(microseconds=1)}", Instant())


def waits() -> ColumnElement[bool]:
    """Return the condition that a notification waits for its handler, or to be deleted."""
    return or_(in_state(State.RECEIVED), in_state(State.HANDLED))


def _pull_in(connection: Connection, now: datetime, longest_lease: timedelta) -> None:
    """Make due what waits for the clock of before; a lease lasts for as long as one that begins now."""
    for is_leased, until in ((False, now), (True, now + longest_lease)):
        owned = _table.owner.is_not(None) if is_leased else _table.owner.is_(None)
        for state in (State.RECEIVED, State.HANDLED):
            rows = select(_table.seq).where(in_state(state), _table.due_at > until, owned)
            free = rows.with_for_update(skip_locked=True).scalar_subquery()
            connection.execute(update(notification).where(_table.seq.in_(free)).values(due_at=until))
