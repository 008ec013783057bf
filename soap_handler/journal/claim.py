"""Claim: leases on what is due. ``order`` says which row of an originator may start; ``settle`` ends the lease.

A claim of a handler is no attempt yet: the attempt is counted when it ends. A lease that ran out leaves a suspect: its
handler may have ended the process. The claim loop takes suspects singly, and the attempt of one is counted at its begin
(:func:`begin`), so that only what was running when a process died comes nearer to dead.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Integer, bindparam, insert, null, select, update

from soap_handler.journal import order, queue_clock
from soap_handler.journal.execute import Instant, execute, query, queue_now
from soap_handler.journal.order import Due
from soap_handler.journal.records import Claim, State, Step
from soap_handler.journal.schema import SEQ_IN, attempt, in_state, notification
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Select

    from soap_handler.journal.queue_clock import Doubts
    from soap_handler.journal.scope import Scope

ATTEMPT: Final = insert(attempt).inline()
"""Write attempts into the history."""

FOLLOWING_ROWS: Final = 200
"""Rows of each further search of a claim in order, where the first search met rows that are blocked."""
ROWS_PER_CLAIM: Final = 600
"""Rows that one claim in order may examine: bounds its transaction. The next claim goes on from there."""
_ENDING_RECHECK: Final = timedelta(milliseconds=50)  # a run whose result is on disk is forgotten by then

_SCOPES_KEPT: Final = 256  # statements; each destination has a few

_table = notification.c


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A request for work: at most ``limit`` notifications that are due, leased to ``owner`` for ``lease``."""

    step: Step
    owner: str
    now: datetime
    """By the wall clock, for the history; what is due is said by the queue's clock."""
    lease: timedelta
    limit: int
    account: str | None = None
    """Of this account only. Always given for deletions, which go to one inbox at a time."""
    in_order: bool = False
    """Of one originator on one account, only the first, and only while no other is leased."""
    running: frozenset[int] = frozenset()
    """The rows on which the claiming process works: never claimed, even where their lease seems to have run out."""
    suspects: int | None = None
    """How many suspects it may lease at most; the others stay due. ``None`` sets no limit."""
    scope: Scope | None = None
    """Of this part of the queue only."""


def claim(connection: Connection, requests: Sequence[ClaimRequest]) -> list[list[Claim]]:
    """Lease what is due, longest due first. An expired lease is due again, and its loss goes into the history."""
    return [_claim(connection, request) for request in requests]


def _claim(connection: Connection, request: ClaimRequest) -> list[Claim]:
    follows = connection.dialect.name == "postgresql"
    doubts = queue_clock.follow(connection, request.lease) if follows else queue_clock.NO_DOUBTS
    now = queue_now(connection)
    if not request.in_order:
        rows = _find(connection, request, now, request.limit, doubts=doubts, suspects=request.suspects)
        free = _without_running(connection, request, now, rows)
        return _lease(connection, request, now, _with_suspects(free, request.suspects))
    claims: list[Claim] = []
    examined, rows_wanted = 0, request.limit
    while len(claims) < request.limit and examined < ROWS_PER_CLAIM:
        suspects = None if request.suspects is None else request.suspects - sum(each.is_suspect for each in claims)
        rows = _find(connection, request, now, rows_wanted, doubts=doubts, suspects=suspects)
        free = order.free_to_start(connection, _without_running(connection, request, now, rows), now)
        free = _with_suspects(free, suspects)
        claims += _lease(connection, request, now, free[: request.limit - len(claims)])
        if len(rows) < rows_wanted:
            break
        examined, rows_wanted = examined + len(rows), FOLLOWING_ROWS
    return claims


def _find(
    connection: Connection, request: ClaimRequest, now: datetime, limit: int, *, doubts: Doubts, suspects: int | None
) -> list[Due]:
    """Return what is due, locked where another process could claim it too; with 0 ``suspects`` none of these."""
    values: dict[str, Any] = {"_now": now, "_limit": limit}
    if request.account is not None:
        values["_account"] = request.account
    statement = due(request.step, of_account=request.account is not None, suspects=suspects != 0, doubts=doubts)
    if request.scope is not None:
        statement = _within(statement, request.scope.at_any_instant)
        values |= request.scope.values
    return [Due(*row) for row in query(connection, statement, values)]


@lru_cache(maxsize=_SCOPES_KEPT)
def _within(statement: Select[Any], scope: Scope) -> Select[Any]:
    """Return the query for a part of the queue: one statement for any instant since which it is searched."""
    return statement.where(scope.condition())


def _without_running(connection: Connection, request: ClaimRequest, now: datetime, rows: list[Due]) -> list[Due]:
    """Leave out what this process works on, and prolong its lease: or each claim would find it again.

    A row without a lease has just been settled or released, and its run is about to be forgotten: it comes again soon.
    """
    running = [row for row in rows if row.seq in request.running]
    if not running:
        return rows
    for pause, seqs in (
        (request.lease, [row.seq for row in running if row.owner is not None]),
        (_ENDING_RECHECK, [row.seq for row in running if row.owner is None]),
    ):
        if seqs:
            execute(connection, PROLONG, [{"seqs": seqs, "_until": now + pause}])
    return [row for row in rows if row.seq not in request.running]


PROLONG: Final = update(notification).where(SEQ_IN).values(due_at=bindparam("_until", type_=Instant()))
"""Have rows be due, or their leases last until, a later instant."""


def _with_suspects(rows: list[Due], count: int | None) -> list[Due]:
    """Return the rows without those suspects that are beyond a count."""
    beyond = [] if count is None else [row.seq for row in rows if row.owner is not None][count:]
    if not beyond:
        return rows
    return [row for row in rows if row.seq not in beyond]


@cache
def due(step: Step, *, of_account: bool, suspects: bool = True, doubts: Doubts = queue_clock.NO_DOUBTS) -> Select[Any]:
    """Return the query of what is due at a step, in the order of its partial index."""
    state = State.RECEIVED if step is Step.HANDLE else State.HANDLED
    now = bindparam("_now", type_=Instant())
    conditions = [in_state(state), _table.due_at <= now]
    if of_account:
        conditions.append(_table.account == bindparam("_account"))
    if doubts.of_leases or not suspects:
        conditions.append(_table.owner.is_(None))
    if doubts.of_clock:
        conditions.append(queue_clock.is_right(now))
    counted = {"attempts": count_of(step)}
    return (
        select(*(_table[counted.get(name, name)] for name in Due._fields))
        .where(*conditions)
        .order_by(_table.due_at, _table.seq)
        .limit(bindparam("_limit", type_=Integer()))
        .with_for_update(skip_locked=True, key_share=True)  # a duplicate's new line holds nothing up, nor is held up
    )


def _lease(connection: Connection, request: ClaimRequest, now: datetime, rows: Sequence[Due]) -> list[Claim]:
    if not rows:
        return []
    until, seqs = now + request.lease, [row.seq for row in rows]
    lease = {"seqs": seqs, "_owner": request.owner, "_until": until, "_now": request.now}
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
        **({"delete_attempts": _table.delete_attempts + 1} if step is Step.DELETE else {}),
    )
    for step in (Step.HANDLE, Step.DELETE)
}
"""Give rows an owner until an instant, by step. A delete counts here: it is begun at once, and kills no process."""


def begin(connection: Connection, claims: Sequence[Claim]) -> list[bool]:
    """Count the attempt of each claim now, before its handler is called; return whether its lease still holds."""
    return [
        connection.execute(
            update(notification)
            .where(_table.seq == claim.seq, _table.owner == claim.owner)
            .values(attempts=claim.attempts)
        ).rowcount
        == 1
        for claim in claims
    ]


def _lost(request: ClaimRequest, row: Due) -> dict[str, Any]:
    """Return the line of the history for a lease without a result: its owner died, was cut off, or overran it."""
    return {
        "seq": row.seq,
        "step": request.step.value,
        "started_at": row.leased_at,
        "ended_at": request.now,
        "outcome": "lost",
        "error": "the lease ran out before there was a result; the handler may not have begun",
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
        due_at=row.due_at,
        claimed_at=time.monotonic(),
        envelope=row.envelope,
        is_suspect=row.owner is not None,
        has_left_inbox=request.step is Step.HANDLE and row.delete_attempts > 0,
    )
