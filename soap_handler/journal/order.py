"""The order of one originator's notifications: who is first, and who waits behind. Leases are given in ``verbs``.

First is what is being handled already, then what was stored first. What is found behind another is *parked*: its due
time is put off, so that the next claim does not meet it again; a long queue of one originator costs each claim nothing.
Whoever ends an attempt makes the one due that is first then (:func:`let_next`) in the same transaction. What no claim
has met yet is found by its number, since claims meet it in that order: it needs no place in the index of originators.

On PostgreSQL several look at once. A lock for each originator keeps two claims from seeing different firsts, and a
shared lock on the first one keeps it from ending unnoticed while others are parked behind it. Nobody waits for either.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import BigInteger, bindparam, func, literal_column, null, select, text, update

from soap_handler.fast.compiled_sql import Statement, few_lengths
from soap_handler.journal.bulk import SeveralRows, one_of, parameters
from soap_handler.journal.records import State
from soap_handler.journal.schema import THESE, in_state, notification, stored, untouched

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, FromClause, ScalarSelect, Update

PARKED: Final = timedelta(seconds=60)
"""After so long a parked one is looked at again, so that nothing can wait for ever."""
_OCCUPIED: Final = timedelta(milliseconds=50)  # the time of a commit: somebody else is busy with this originator
_LOCKS: Final = 0x534F4153 << 32  # the numbers of our locks begin here: any range that is ours
_SLOTS: Final = 1024  # locks at most: the server has room for some thousands. Two that share one lose a moment at worst

_table = notification.c
_other = notification.alias("other")


class Due(NamedTuple):
    """What a claim finds, as the driver gives it."""

    seq: int
    account: str
    originator: str | None
    key: str
    kind: str
    message_id: str | None
    owner: str | None
    leased_at: int | None
    received_at: int
    payload: str
    attempts: int


class Freed(NamedTuple):
    """Of this originator one gave its place back: it was handled, went dead, failed, was given back, or was erased."""

    account: str
    originator: str
    at: datetime


def free_to_start(connection: Connection, rows: Sequence[Due], now: datetime) -> list[Due]:
    """Return those of some due and locked rows that have nobody before them, and put off the others.

    What has no originator has no order.
    """
    queued = [row for row in rows if row.originator is not None]
    if not queued:
        return list(rows)
    occupied = _occupied(connection, queued)
    before = _before(connection, [row for row in queued if row.seq not in occupied])
    waiting = _surely_waiting(connection, set(before.values()))
    parked = {seq for seq, first in before.items() if first in waiting}
    unsure = occupied | (before.keys() - parked)
    _put_off(connection, parked, now + PARKED, now)
    _put_off(connection, unsure, now + _OCCUPIED, None)
    return [row for row in rows if row.seq not in parked | unsure]


def _occupied(connection: Connection, rows: Iterable[Due]) -> set[int]:
    """Return those rows whose originator another claim is looking at; the others are ours until the commit."""
    if connection.dialect.name != "postgresql":  # SQLite has only one who writes
        return set()
    locks = {row.seq: _lock(row.account, row.originator) for row in rows}
    query = text(
        "SELECT number, pg_try_advisory_xact_lock(number) AS ours FROM unnest(CAST(:numbers AS bigint[])) number"
    )
    got = {row.number: row.ours for row in connection.execute(query, {"numbers": sorted(set(locks.values()))})}
    return {seq for seq, number in locks.items() if not got[number]}


def _lock(account: str, originator: str | None) -> int:
    digest = blake2b(f"{account}\0{originator}".encode(), digest_size=8).digest()
    return _LOCKS + int.from_bytes(digest) % _SLOTS


def _before(connection: Connection, rows: Sequence[Due]) -> dict[int, int]:
    """Return, for each row that is not the first of its originator, the one that is."""
    if not rows:
        return {}
    # In this order: another claim may put a new one off meanwhile, but nothing becomes new again.
    new = _first_new(connection, max(row.seq for row in rows))
    originators = {row.seq: (row.account, row.originator) for row in rows}
    before = {}
    for seq, begun, waits in _FIRSTS.ask(connection, {"seqs": few_lengths(originators)}):
        waiting = (each for each in (waits, new.get(originators[seq])) if each is not None)
        first = begun or min(waiting, default=seq)
        if first != seq:
            before[seq] = first
    return before


def _first_new(connection: Connection, last: int) -> dict[tuple[str, str | None], int]:
    """Return the first that no claim has met yet of each originator, up to a number that one has met.

    They are few: claims meet what is new in the order of its numbers.
    """
    rows = _NEW.ask(connection, {"_last": last})
    return {(account, originator): seq for seq, account, originator in reversed(rows)}


_NEW: Final = Statement(
    select(_table.seq, _table.account, _table.originator)
    .where(untouched(), _table.seq <= bindparam("_last"))
    .order_by(_table.seq)
)


def _firsts() -> Statement:
    # Two questions instead of one sorted answer, because the index answers each at once, however long the queue is.
    mine = _received_of(_table.account, _table.originator)
    begun = select(func.min(_other.c.seq)).where(*mine, _other.c.leased_at >= literal_column("0")).scalar_subquery()
    waits = _first_that_waits(_table.account, _table.originator)
    return Statement(select(_table.seq, begun, waits).where(THESE), many="seqs")


def _first_that_waits(account: ColumnElement[str], originator: ColumnElement[str]) -> ScalarSelect[int]:
    """Return the question for the first of an originator's that wait, of those that a claim has met."""
    met = _other.c.leased_at.is_(None), _other.c.due_at != _other.c.received_at
    query = select(_other.c.seq).where(*_received_of(account, originator), *met)
    # Not min(seq), for which PostgreSQL reads the whole queue while it believes that it is short.
    return (
        query.order_by(_other.c.leased_at, _other.c.seq)
        .limit(literal_column("1"))
        .offset(literal_column("0"))
        .scalar_subquery()
    )


def _received_of(account: ColumnElement[str], originator: ColumnElement[str]) -> tuple[ColumnElement[bool], ...]:
    return in_state(State.RECEIVED, _other), _other.c.account == account, _other.c.originator == originator


_FIRSTS: Final = _firsts()


def _surely_waiting(connection: Connection, seqs: Collection[int]) -> set[int]:
    """Return those rows that have yet to come to an end, and cannot before our commit."""
    if not seqs:
        return set()
    query = select(_table.seq).where(_table.seq.in_(few_lengths(seqs)), in_state(State.RECEIVED))
    return set(connection.execute(query.with_for_update(read=True, skip_locked=True)).scalars())


def _put_off(connection: Connection, seqs: Collection[int], until: datetime, parked_at: datetime | None) -> None:
    if seqs:
        statement = (
            update(notification).where(_table.seq.in_(few_lengths(seqs))).values(due_at=until, parked_at=parked_at)
        )
        connection.execute(statement)


def _write_let_next(count: int) -> Update:
    firsts = [
        _first_that_waits(account, originator)
        for account, originator in zip(
            parameters("_account", count, _table.account.type),
            parameters("_originator", count, _table.originator.type),
            strict=True,
        )
    ]
    return _let(_table.seq.in_(firsts))


def _write_let_next_given(rows: FromClause) -> Update:
    firsts = select(_first_that_waits(rows.c["_account"], rows.c["_originator"])).select_from(rows)
    return _let(one_of(_table.seq, firsts))


def _let(those: ColumnElement[bool]) -> Update:
    parked = _table.parked_at.is_not(None)  # one that waits for its back-off goes on waiting
    at = bindparam("_at", type_=BigInteger())
    return update(notification).where(those, parked).values(due_at=at, parked_at=null())


_LET_NEXT: Final = SeveralRows(
    {"_account": _table.account.type, "_originator": _table.originator.type}, _write_let_next, _write_let_next_given
)


def let_next(connection: Connection, freed: Iterable[Freed]) -> None:
    """Make the one of each originator due that is first now, if it was parked; for all of them, when the last came."""
    ends = {(each.account, each.originator): each.at for each in freed}
    if ends:
        originators = [{"_account": account, "_originator": originator} for account, originator in ends]
        _LET_NEXT.run(connection, originators, {"_at": stored(max(ends.values()))})
