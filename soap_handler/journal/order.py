"""Order: of one originator's notifications the first may start, and the others are blocked behind it.

First is the one that is being handled already, else the one that was stored first. Example, with three rows of one
originator: A1 is *leased*, A2 is *blocked*, A3 is *unseen*. A claim that finds A3 blocks it too, since A1 is first.
When A1 has ended, A2 is made due; when A2 has ended, A3 is.

- Blocked: a claim found the row behind another. Its due time is put off, so that the next claim does not find it again,
  and a long queue of one originator costs a claim nothing. The transaction that ends an attempt makes the new first
  row due (:func:`unblock_next`).
- Unseen: no claim has found the row yet. Such rows are found by number: claims find them in that order, so they need
  no entry in the index by originator. Where many of them wait for a slow destination, the claims of another one make
  them seen, some at a time.

On PostgreSQL several claims run at once. An advisory lock per originator keeps two claims from seeing different first
rows. A shared lock on the first row keeps it from ending unnoticed while others are blocked behind it. Both are tried
and never waited for.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, func, literal_column, null, select, text, update

from soap_handler.journal.execute import Instant, execute, query
from soap_handler.journal.records import State
from soap_handler.journal.schema import NO_LEASE, SEQ_IN, in_state, notification, unseen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import BindParameter, ColumnElement, Connection, ScalarSelect, Select

BLOCKED_RECHECK: Final = timedelta(seconds=60)
"""A blocked row is examined again after this time, so that no row can wait for ever."""
_CONTENDED_RECHECK: Final = timedelta(milliseconds=50)  # the length of a commit: another claim has this originator
_FIRST_LOCK: Final = 0x534F4153 << 32  # the number of the first advisory lock: any range of our own
UNSEEN_ROWS: Final = 2000
"""Unseen rows that one claim reads at most; that is some milliseconds."""
_LOCK_COUNT: Final = 1024  # PostgreSQL has room for some thousands; two originators that share one only wait a little

_table = notification.c
_other = notification.alias("other")


class Due(NamedTuple):
    """One row that a claim finds."""

    seq: int
    account: str
    originator: str | None
    key: str
    kind: str
    message_id: str | None
    owner: str | None
    leased_at: datetime | None
    received_at: datetime
    payload: str
    attempts: int
    delete_attempts: int
    due_at: datetime
    envelope: bytes | None


class Freed(NamedTuple):
    """An originator whose first row ended: handled, dead, failed, released or erased."""

    account: str
    originator: str
    at: datetime


def free_to_start(connection: Connection, rows: Sequence[Due], now: datetime) -> list[Due]:
    """Return those of some due and locked rows that are first of their originator, and put off the others.

    A row without an originator has no order.
    """
    queued = [row for row in rows if row.originator is not None]
    if not queued:
        return list(rows)
    unsure = _contended(connection, queued)
    locked = [row for row in queued if row.seq not in unsure]
    # In this order: meanwhile another claim may block an unseen row, but no row becomes unseen again.
    first_unseen, looked_to = _first_unseen(connection, max((row.seq for row in locked), default=0))
    unsure |= {row.seq for row in locked if row.seq > looked_to}
    firsts = _first_of_each(connection, [row for row in locked if row.seq not in unsure], first_unseen)
    unended = _surely_unended(connection, set(firsts.values()))
    blocked = {seq for seq, first in firsts.items() if first in unended}
    unsure |= firsts.keys() - blocked
    _put_off(connection, blocked, now + BLOCKED_RECHECK, now)
    _put_off(connection, unsure, now + _CONTENDED_RECHECK, None)
    return [row for row in rows if row.seq not in blocked | unsure]


def _contended(connection: Connection, rows: Iterable[Due]) -> set[int]:
    """Return those rows whose originator another claim has locked; the others are ours until the commit."""
    if connection.dialect.name != "postgresql":  # SQLite has one writer at a time
        return set()
    locks = {row.seq: _lock(row.account, row.originator) for row in rows}
    statement = text(
        "SELECT number, pg_try_advisory_xact_lock(number) AS ours FROM unnest(CAST(:numbers AS bigint[])) number"
    )
    got = {row.number: row.ours for row in connection.execute(statement, {"numbers": sorted(set(locks.values()))})}
    return {seq for seq, number in locks.items() if not got[number]}


def _lock(account: str, originator: str | None) -> int:
    digest = blake2b(f"{account}\0{originator}".encode(), digest_size=8).digest()
    return _FIRST_LOCK + int.from_bytes(digest) % _LOCK_COUNT


def _first_of_each(
    connection: Connection, rows: Sequence[Due], first_unseen: Mapping[tuple[str, str | None], int]
) -> dict[int, int]:
    """Return, for each row that is not the first of its originator, the row that is."""
    if not rows:
        return {}
    originators = {row.seq: (row.account, row.originator) for row in rows}
    firsts = {}
    for seq, leased, blocked in query(connection, FIRSTS, {"seqs": list(originators)}):
        candidates = (each for each in (blocked, first_unseen.get(originators[seq])) if each is not None)
        first = leased or min(candidates, default=seq)
        if first != seq:
            firsts[seq] = first
    return firsts


def _first_unseen(connection: Connection, last: int) -> tuple[dict[tuple[str, str | None], int], int]:
    """Return each originator's first unseen row, among the rows up to one that a claim has found; and up to which.

    They are few: claims find unseen rows in the order of their numbers. Only behind a destination that is slow they are
    many. Then the first of them become seen, so that the next look gets further.
    """
    rows = query(connection, UNSEEN, {"_last": last}) if last else []
    if len(rows) == UNSEEN_ROWS:
        last = rows[-1][0]
        connection.execute(SEE, {"_last": last})
    return {(account, originator): seq for seq, account, originator in reversed(rows)}, last


UNSEEN: Final = (
    select(_table.seq, _table.account, _table.originator)
    .where(unseen(), _table.seq <= bindparam("_last"))
    .order_by(_table.seq)
    .limit(literal_column(f"{UNSEEN_ROWS}"))
)
"""The first unseen rows up to a number."""

SEE: Final = (
    update(notification)
    .where(
        _table.seq.in_(
            select(_other.c.seq)
            .where(unseen(_other), _other.c.seq <= bindparam("_last"))
            .order_by(_other.c.seq)
            .limit(literal_column(f"{UNSEEN_ROWS}"))
            .with_for_update(skip_locked=True)
        )
    )
    .values(leased_at=NO_LEASE)
)
"""Make the unseen rows up to a number seen: from now on the index by originator has them. They stay due."""


def _received_of(account: ColumnElement[str], originator: ColumnElement[Any]) -> tuple[ColumnElement[bool], ...]:
    return in_state(State.RECEIVED, _other), _other.c.account == account, _other.c.originator == originator


def _first_blocked(account: ColumnElement[str], originator: ColumnElement[Any]) -> ScalarSelect[int]:
    """Return the query for an originator's first row that is blocked or put off: found by a claim, and not leased.

    ORDER BY and a literal LIMIT, not min(seq): for that, PostgreSQL reads the whole queue while it believes that the
    queue is short.
    """
    first = select(_other.c.seq).where(*_received_of(account, originator), _other.c.leased_at == NO_LEASE)
    return first.order_by(_other.c.leased_at, _other.c.seq).limit(literal_column("1")).scalar_subquery()


def _firsts() -> Select[Any]:
    # Two subqueries, not one sorted result: the index answers each at once, however long the queue is.
    mine = _received_of(_table.account, _table.originator)
    is_leased = _other.c.leased_at >= literal_column("0")  # as a range, which the index serves
    leased = select(func.min(_other.c.seq)).where(*mine, is_leased).scalar_subquery()
    return select(_table.seq, leased, _first_blocked(_table.account, _table.originator)).where(SEQ_IN)


FIRSTS: Final = _firsts()
"""For each of some rows: its originator's first row that is leased, and the first that is blocked or put off."""


def _surely_unended(connection: Connection, seqs: Collection[int]) -> set[int]:
    """Return those rows that have yet to end, and cannot end before our commit: they get a shared lock."""
    return {seq for (seq,) in query(connection, STILL_RECEIVED, {"seqs": list(seqs)})} if seqs else set()


STILL_RECEIVED: Final = (
    select(_table.seq).where(SEQ_IN, _table.state == State.RECEIVED.value).with_for_update(read=True, skip_locked=True)
)
"""Those of some rows that have yet to be handled.

The state is a parameter, not a literal: with that, PostgreSQL may read a whole partial index for some rows.
"""


def _put_off(connection: Connection, seqs: Collection[int], until: datetime, blocked_at: datetime | None) -> None:
    if seqs:
        execute(connection, PUT_OFF, [{"seqs": list(seqs), "_until": until, "_blocked_at": blocked_at}])


PUT_OFF: Final = (
    update(notification)
    .where(SEQ_IN)
    .values(
        due_at=bindparam("_until", type_=Instant()),
        parked_at=bindparam("_blocked_at", type_=Instant()),
        leased_at=NO_LEASE,
    )
)
"""Make rows due later that a claim has found."""


def _parameter(name: str, column: ColumnElement[Any]) -> BindParameter[Any]:
    return bindparam(name, type_=column.type)


UNBLOCK: Final = (
    update(notification)
    .where(
        _table.seq
        == _first_blocked(_parameter("_account", _table.account), _parameter("_originator", _table.originator)),
        _table.parked_at.is_not(None),  # a row that waits for its back-off goes on waiting
    )
    .values(due_at=_parameter("_at", _table.due_at), parked_at=null())
)
"""Make an originator's first row due, if it is blocked."""


def unblock_next(connection: Connection, freed: Iterable[Freed]) -> None:
    """Make the row of each originator due that is first now, if it was blocked; due when the last of all ended."""
    ends = {(each.account, each.originator): each.at for each in freed}
    if ends:
        at = max(ends.values())
        rows = [{"_account": account, "_originator": originator, "_at": at} for account, originator in ends]
        execute(connection, UNBLOCK, rows)
