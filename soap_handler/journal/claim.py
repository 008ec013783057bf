"""Claim: leases on what is due. ``order`` says which row of an originator may start; ``settle`` ends the lease."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Integer, bindparam, insert, null, select, update

from soap_handler.journal import order
from soap_handler.journal.execute import execute, query
from soap_handler.journal.order import Due
from soap_handler.journal.records import Claim, State, Step
from soap_handler.journal.schema import SEQ_IN, Instant, attempt, in_state, notification
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Select

ATTEMPT: Final = insert(attempt).inline()
"""Write attempts into the history."""

FOLLOWING_ROWS: Final = 200
"""Rows of each further search of a claim in order, where the first search met rows that are blocked."""
ROWS_PER_CLAIM: Final = 600
"""Rows that one claim in order may examine: bounds its transaction. The next claim goes on from there."""

_table = notification.c


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A request for work: at most ``limit`` notifications that are due, leased to ``owner`` until ``until``."""

    step: Step
    owner: str
    now: datetime
    until: datetime
    limit: int
    account: str | None = None
    """Of this account only. Always given for deletions, which go to one inbox at a time."""
    in_order: bool = False
    """Of one originator on one account, only the first, and only while no other is leased."""


def claim(connection: Connection, requests: Sequence[ClaimRequest]) -> list[list[Claim]]:
    """Lease what is due, longest due first. An expired lease is due again, and its loss goes into the history."""
    return [_claim(connection, request) for request in requests]


def _claim(connection: Connection, request: ClaimRequest) -> list[Claim]:
    if not request.in_order:
        return _lease(connection, request, _find(connection, request, request.limit))
    claims: list[Claim] = []
    examined, rows_wanted = 0, request.limit
    while len(claims) < request.limit and examined < ROWS_PER_CLAIM:
        rows = _find(connection, request, rows_wanted)
        free = order.free_to_start(connection, rows, request.now)
        claims += _lease(connection, request, free[: request.limit - len(claims)])
        if len(rows) < rows_wanted:
            break
        examined, rows_wanted = examined + len(rows), FOLLOWING_ROWS
    return claims


def _find(connection: Connection, request: ClaimRequest, limit: int) -> list[Due]:
    """Return what is due, locked where another process could claim it too."""
    values = {"_now": request.now, "_limit": limit}
    if request.account is not None:
        values["_account"] = request.account
    return [Due(*row) for row in query(connection, due(request.step, of_account=request.account is not None), values)]


@cache
def due(step: Step, *, of_account: bool) -> Select[Any]:
    """Return the query of what is due at a step, in the order of its partial index."""
    state = State.RECEIVED if step is Step.HANDLE else State.HANDLED
    conditions = [in_state(state), _table.due_at <= bindparam("_now")]
    if of_account:
        conditions.append(_table.account == bindparam("_account"))
    counted = {"attempts": count_of(step)}
    return (
        select(*(_table[counted.get(name, name)] for name in Due._fields))
        .where(*conditions)
        .order_by(_table.due_at, _table.seq)
        .limit(bindparam("_limit", type_=Integer()))
        .with_for_update(skip_locked=True)
    )


def _lease(connection: Connection, request: ClaimRequest, rows: Sequence[Due]) -> list[Claim]:
    if not rows:
        return []
    lease = {"seqs": [row.seq for row in rows], "_owner": request.owner, "_until": request.until, "_now": request.now}
    execute(connection, LEASE[request.step], [lease])
    execute(connection, ATTEMPT, [_lost(request, row) for row in rows if row.owner is not None])
    return [_claimed(request, row) for row in rows]


def count_of(step: Step) -> str:
    """Return the name of the column that counts the attempts at a step."""
    return "attempts" if step is Step.HANDLE else "delete_attempts"


LEASE: Final = {
    step: update(notification)
    .where(SEQ_IN)
    .values(
        owner=bindparam("_owner"),
        due_at=bindparam("_until", type_=Instant()),
        leased_at=bindparam("_now", type_=Instant()),
        parked_at=null(),
        **{count_of(step): _table[count_of(step)] + 1},
    )
    for step in (Step.HANDLE, Step.DELETE)
}
"""Give rows an owner until an instant, by step."""


def _lost(request: ClaimRequest, row: Due) -> dict[str, Any]:
    """Return the attempt that its owner never reported: the owner died, was cut off, or overran its lease."""
    return {
        "seq": row.seq,
        "step": request.step.value,
        "started_at": row.leased_at,
        "ended_at": request.now,
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
        received_at=row.received_at,
        leased_at=request.now,
        payload=row.payload,
    )
