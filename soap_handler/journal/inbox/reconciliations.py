"""Reconciliation, the journal's side: which keys are known, which are deleted again, and a record of each run.

Does not know which messages are in the inbox: see ``inbox/reconciler.py``.
"""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from sqlalchemy import and_, func, insert, not_, or_, select, update

from soap_handler.journal.execute import queue_now
from soap_handler.journal.records import State
from soap_handler.journal.schema import notification, reconciliation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row

_LOCK_CLASS: Final = 0x534F4152  # an advisory lock: any number of our own, beside that of the migrations

_AHEAD: Final = timedelta(seconds=1)  # what the clocks of two processes may differ by

_table = notification.c
_runs = reconciliation.c
_WAS_TAKEN: Final = or_(_table.handled_at.is_not(None), _table.erased_at.is_not(None))


class Known(NamedTuple):
    """The state of one key in the journal."""

    state: State
    done_at: datetime | None
    has_id: bool
    """Whether there is an id by which the message can be deleted."""
    is_ignored: bool = False
    """Whether it is done without having been handled or erased: then it is not deleted."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one run: ``inbox = known + recovered + unreadable``."""

    inbox: int = 0
    recovered: int = 0
    """Unknown to the journal before, and now in it as received."""
    deleted_again: int = 0
    """Done before the run began, and now to be deleted once more."""
    left_alone: int = 0
    """Known, and nothing to do: waiting, being handled, handled, dead, or done only now."""
    unreadable: int = 0

    @property
    def known(self) -> int:
        """How many the journal knew: ``deleted_again + left_alone``."""
        return self.deleted_again + self.left_alone

    def __add__(self, other: Tally) -> Tally:
        """Return both together."""
        return Tally(**{name: value + getattr(other, name) for name, value in asdict(self).items()})


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The record of one run."""

    account: str
    started_at: datetime
    ended_at: datetime | None
    """``None`` while it is under way, or when its process died over it."""
    tally: Tally
    error: str | None
    """Why it did not get to the end, without personal data."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A request to begin a run, unless another one of the account makes it needless."""

    account: str
    now: datetime
    skip_if_ended_since: datetime | None = None
    skip_if_running_since: datetime | None = None
    """A run that began since then, and has not ended, is taken to be under way."""


class Ending(NamedTuple):
    """The end of a run, by its number."""

    number: int
    now: datetime
    tally: Tally
    error: str | None


def known(connection: Connection, keys: Sequence[str]) -> dict[str, Known]:
    """Return what is known of those of the keys that are in the journal."""
    ignored = and_(_table.state == State.DONE.value, not_(_WAS_TAKEN)).label("ignored")
    query = select(_table.key, _table.state, _table.done_at, _table.message_id, ignored).where(_table.key.in_(keys))
    return {
        row.key: Known(State(row.state), row.done_at, row.message_id is not None, bool(row.ignored))
        for row in connection.execute(query)
    }


def delete_again(connection: Connection, requests: Sequence[tuple[Sequence[str], datetime, datetime]]) -> list[int]:
    """Move what was done before an instant back to handled, so that it is deleted again; return how many there were.

    What bears a time that has yet to come was done before a step of the clock: one delete too many does no harm.
    """
    return [
        connection.execute(
            update(notification)
            .where(
                _table.key.in_(keys),
                _table.state == State.DONE.value,
                or_(_table.done_at < before, _table.done_at > now + _AHEAD),
                _table.message_id.is_not(None),
                _WAS_TAKEN,
            )
            .values(state=State.HANDLED.value, due_at=queue_now(connection), done_at=None)
        ).rowcount
        for keys, before, now in requests
    ]


def begin(connection: Connection, beginnings: Sequence[Beginning]) -> list[int | None]:
    """Write down that a run begins, and return its number; ``None`` where another one makes it needless."""
    return [_begin(connection, beginning) for beginning in beginnings]


def _begin(connection: Connection, beginning: Beginning) -> int | None:
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK_CLASS, zlib.crc32(beginning.account.encode()) >> 1)))
    if _needless(connection, beginning):
        return None
    row = {"account": beginning.account, "started_at": beginning.now, **_counts(Tally())}
    key = connection.execute(insert(reconciliation), row).inserted_primary_key  # RETURNING came with SQLite 3.35
    return cast("tuple[int]", key)[0]


def _needless(connection: Connection, beginning: Beginning) -> bool:
    """Whether another run makes one needless. A record from the future, as a step of the clock leaves it, does not."""
    others: list[ColumnElement[bool]] = []
    latest = beginning.now + _AHEAD
    if beginning.skip_if_ended_since is not None:
        others.append(_runs.ended_at.between(beginning.skip_if_ended_since, latest))
    if beginning.skip_if_running_since is not None:
        others.append(_runs.ended_at.is_(None) & _runs.started_at.between(beginning.skip_if_running_since, latest))
    if not others:
        return False
    query = select(_runs.id).where(_runs.account == beginning.account, or_(*others)).limit(1)
    return connection.scalar(query) is not None


def end(connection: Connection, endings: Sequence[Ending]) -> list[None]:
    """Write down how runs ended."""
    for ending in endings:
        connection.execute(
            update(reconciliation)
            .where(_runs.id == ending.number)
            .values(ended_at=ending.now, error=ending.error, **_counts(ending.tally))
        )
    return [None] * len(endings)


def _counts(tally: Tally) -> dict[str, int]:
    return {**asdict(tally), "known": tally.known}


def runs(connection: Connection, account: str | None, limit: int | None) -> list[Reconciliation]:
    """Return the records of the runs, latest first."""
    query = select(reconciliation).order_by(_runs.id.desc()).limit(limit)
    if account is not None:
        query = query.where(_runs.account == account)
    return [_run(row) for row in connection.execute(query)]


def latest_runs(connection: Connection) -> list[Reconciliation]:
    """Return the last run of each account that came to an end, by account."""
    last = select(func.max(_runs.id)).where(_runs.ended_at.is_not(None)).group_by(_runs.account)
    query = select(reconciliation).where(_runs.id.in_(last)).order_by(_runs.account)
    return [_run(row) for row in connection.execute(query)]


def _run(row: Row[Any]) -> Reconciliation:
    names = ("inbox", "recovered", "deleted_again", "left_alone", "unreadable")
    tally = Tally(**{name: getattr(row, name) for name in names})
    return Reconciliation(row.account, row.started_at, row.ended_at, tally, row.error)
