"""Giving out leases on what is due. Who comes first of one originator is in ``order``; what follows, in ``verbs``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Integer, bindparam, literal_column, null, select, update

from soap_handler.fast.compiled_sql import Statement, few_lengths
from soap_handler.journal import order
from soap_handler.journal.bulk import Insert
from soap_handler.journal.order import Due
from soap_handler.journal.records import Claim, State, Step
from soap_handler.journal.schema import THESE, attempt, in_state, instant, notification, stored
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Select

ATTEMPT: Final = Insert(attempt, ("seq", "step", "started_at", "ended_at", "outcome", "error", "owner"))
"""Write attempts into the history."""

_table = notification.c
_LOOK: Final = 200  # rows: so many at once, where the first look met some that wait behind others
_MOST_LOOKED_AT: Final = 600  # rows in one claim: bounds its transaction; the next claim goes on from there


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """Ask for work: at most ``limit`` notifications that are due, leased to ``owner`` until ``until``."""

    step: Step
    owner: str
    now: datetime
    until: datetime
    limit: int
    account: str | None = None
    """Of this account only; always given for deletions, which go to one inbox at a time."""
    in_order: bool = False
    """Of one originator on one account, only the first, and only while no other is leased."""


def claim(connection: Connection, requests: Sequence[ClaimRequest]) -> list[list[Claim]]:
    """Lease what is due, longest due first. A lease that ran out is due again, and its loss goes into the history."""
    return [_claim(connection, request) for request in requests]


def _claim(connection: Connection, request: ClaimRequest) -> list[Claim]:
    if not request.in_order:
        return _lease(connection, request, _find(connection, request, request.limit))
    claims: list[Claim] = []
    looked_at, look = 0, request.limit
    while len(claims) < request.limit and looked_at < _MOST_LOOKED_AT:
        rows = _find(connection, request, look)
        free = order.free_to_start(connection, rows, request.now)
        claims += _lease(connection, request, free[: request.limit - len(claims)])
        if len(rows) < look:
            break
        looked_at, look = looked_at + len(rows), _LOOK
    return claims


def _lease(connection: Connection, request: ClaimRequest, rows: Sequence[Due]) -> list[Claim]:
    if not rows:
        return []
    lease = {
        "seqs": few_lengths(row.seq for row in rows),
        "_owner": request.owner,
        "_until": stored(request.until),
        "_now": stored(request.now),
    }
    _LEASE[request.step].run(connection, [lease])
    ATTEMPT.run(connection, [_lost(request, row) for row in rows if row.owner is not None])
    return [_claimed(request, row) for row in rows]


def count_of(step: Step) -> str:
    """Return the name of the column that counts the attempts at a step."""
    return "attempts" if step is Step.HANDLE else "delete_attempts"


_LEASE: Final = {
    step: Statement(
        update(notification)
        .where(THESE)
        .values(
            owner=bindparam("_owner"),
            due_at=bindparam("_until"),
            leased_at=bindparam("_now"),
            parked_at=null(),
            **{count_of(step): _table[count_of(step)] + literal_column("1")},
        ),
        many="seqs",
    )
    for step in Step
}


def _find(connection: Connection, request: ClaimRequest, limit: int) -> list[Due]:
    """Return what is due, and lock it where others could claim it too."""
    values = {"_now": stored(request.now), "_account": request.account, "_limit": limit}
    return [Due(*row) for row in _due_by(request.step, request.account is not None)[1].ask(connection, values)]


def due(request: ClaimRequest) -> Select[Any]:
    """Return the question that a claim asks."""
    query, _ = _due_by(request.step, request.account is not None)
    return query.params(_now=request.now, _account=request.account, _limit=request.limit)


@cache
def _due_by(step: Step, of_account: bool) -> tuple[Select[Any], Statement]:  # noqa: FBT001 - a key of the cache
    state = State.RECEIVED if step is Step.HANDLE else State.HANDLED
    conditions = [in_state(state), _table.due_at <= bindparam("_now")]
    if of_account:
        conditions.append(_table.account == bindparam("_account"))
    counted = {"attempts": count_of(step)}
    query = (
        select(*(_table[counted.get(name, name)] for name in Due._fields))
        .where(*conditions)
        .order_by(_table.due_at, _table.seq)
        .limit(bindparam("_limit", type_=Integer()))
        .offset(literal_column("0"))  # SQLAlchemy writes one for SQLite, as a parameter that we would have to name
        .with_for_update(skip_locked=True)
    )
    return query, Statement(query)


def _lost(request: ClaimRequest, row: Due) -> dict[str, Any]:
    """Return the attempt that its owner never reported: it died, was cut off, or hung past its lease."""
    return {
        "seq": row.seq,
        "step": request.step.value,
        "started_at": row.leased_at,
        "ended_at": stored(request.now),
        "outcome": "lost",
        "error": "the lease ran out before the attempt ended",
        "owner": row.owner,
    }


def _claimed(request: ClaimRequest, row: Due) -> Claim:
    return Claim(
        seq=row.seq,
        key=row.key,
        account=row.account,
        kind=Kind(row.kind),
        message_id=row.message_id,
        owner=request.owner,
        attempts=row.attempts + 1,
        received_at=instant(row.received_at),
        leased_at=request.now,
        payload=row.payload,
    )
