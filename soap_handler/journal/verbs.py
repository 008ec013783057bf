"""What can happen to a notification, in SQL. Each verb takes many requests and runs inside the writer's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, bindparam, func, insert, null, select, update

from soap_handler.journal import order
from soap_handler.journal.recording import record as record  # noqa: PLC0414 - the first of the verbs
from soap_handler.journal.recording import record_all as record_all  # noqa: PLC0414 - likewise
from soap_handler.journal.recording import storable
from soap_handler.journal.records import Claim, Settlement, State, Step
from soap_handler.journal.schema import attempt, in_state, notification, stored
from soap_handler.journal.statements import Statement, few_lengths
from soap_handler.journal.traces import ERASED
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from soap_handler.journal.records import Selection

_table = notification.c
_THESE: Final = _table.seq.in_(bindparam("seqs", expanding=True))
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
        return _lease(connection, request, connection.execute(_due(request)).all())
    claims: list[Claim] = []
    looked_at, look = 0, request.limit
    while len(claims) < request.limit and looked_at < _MOST_LOOKED_AT:
        rows = connection.execute(_due(request, look)).all()
        free = order.free_to_start(connection, rows, request.now)
        claims += _lease(connection, request, free[: request.limit - len(claims)])
        if len(rows) < look:
            break
        looked_at, look = looked_at + len(rows), _LOOK
    return claims


def _lease(connection: Connection, request: ClaimRequest, rows: Sequence[Row[Any]]) -> list[Claim]:
    if not rows:
        return []
    connection.execute(
        _LEASE[request.step],
        {
            "seqs": few_lengths(row.seq for row in rows),
            "_owner": request.owner,
            "_until": request.until,
            "_now": request.now,
        },
    )
    _ATTEMPT.run(connection, [_lost(request, row) for row in rows if row.owner is not None])
    return [_claimed(request, row) for row in rows]


def _count_of(step: Step) -> str:
    return "attempts" if step is Step.HANDLE else "delete_attempts"


_LEASE: Final = {
    step: update(notification)
    .where(_THESE)
    .values(
        owner=bindparam("_owner"),
        due_at=bindparam("_until"),
        leased_at=bindparam("_now"),
        parked_at=None,
        **{_count_of(step): _table[_count_of(step)] + 1},
    )
    for step in Step
}
_ATTEMPT: Final = Statement(insert(attempt), ("seq", "step", "started_at", "ended_at", "outcome", "error", "owner"))


def _due(request: ClaimRequest, limit: int | None = None) -> Any:  # noqa: ANN401 - a Select of many columns
    state = State.RECEIVED if request.step is Step.HANDLE else State.HANDLED
    conditions = [in_state(state), _table.due_at <= request.now]
    if request.account is not None:
        conditions.append(_table.account == request.account)
    return (
        select(
            _table.seq,
            _table.key,
            _table.account,
            _table.kind,
            _table.message_id,
            _table.originator,
            _table.owner,
            _table.leased_at,
            _table.received_at,
            _table.payload,
            _table[_count_of(request.step)].label("attempts"),
        )
        .where(*conditions)
        .order_by(_table.due_at, _table.seq)
        .limit(request.limit if limit is None else limit)
        .with_for_update(skip_locked=True)
    )


def _lost(request: ClaimRequest, row: Row[Any]) -> dict[str, Any]:
    """Return the attempt that its owner never reported: it died, was cut off, or hung past its lease."""
    return {
        "seq": row.seq,
        "step": request.step.value,
        "started_at": stored(row.leased_at),
        "ended_at": stored(request.now),
        "outcome": "lost",
        "error": "the lease ran out before the attempt ended",
        "owner": row.owner,
    }


def _claimed(request: ClaimRequest, row: Row[Any]) -> Claim:
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


def settle(connection: Connection, settlements: Sequence[Settlement]) -> list[bool]:
    """Write down how attempts ended; say of each whether the lease was still its owner's. If not, nothing moves."""
    rows = _locked(connection, [settlement.claim for settlement in settlements])
    ours = {settlement.claim.seq for settlement in settlements if _is_ours(settlement.claim, rows)}
    good, tried, answers = [], [], []
    for settlement in settlements:
        seq = settlement.claim.seq
        answer = seq in ours and _is_ours(settlement.claim, rows)
        answers.append(answer)
        if answer:
            ours.discard(seq)  # the first settling ends the lease
            good.append(settlement)
        if seq in rows:  # else it is purged
            tried.append(_tried(settlement, rows[seq], ours=answer))
    _SETTLE.run(connection, [_settled(settlement) for settlement in good])
    handled = ((each.claim, each.ended_at) for each in good if each.step is Step.HANDLE)
    order.let_next(connection, list(_freed(handled, rows)))
    _ATTEMPT.run(connection, tried)
    return answers


_SETTLE: Final = Statement(
    update(notification)
    .where(_table.seq == bindparam("_seq"))
    .values(
        state=bindparam("_state"),
        due_at=bindparam("_due_at"),
        owner=null(),
        leased_at=null(),
        parked_at=null(),
        handled_at=func.coalesce(_table.handled_at, bindparam("_handled_at", type_=_table.handled_at.type)),
        done_at=bindparam("_done_at"),
    )
)


def _locked(connection: Connection, claims: Sequence[Claim]) -> dict[int, Row[Any]]:
    """Return the present rows of some claims, by number; nobody else changes them until the commit."""
    rows: Iterable[Row[Any]] = connection.execute(_LOCKED, {"seqs": few_lengths(claim.seq for claim in claims)})
    return {row.seq: row for row in rows}


_LOCKED: Final = (
    select(_table.seq, _table.owner, _table.account, _table.originator, _table.erased_at)
    .where(_THESE)
    .with_for_update()
)


def _is_ours(claim: Claim, rows: Mapping[int, Row[Any]]) -> bool:
    return claim.seq in rows and rows[claim.seq].owner == claim.owner


def _freed(claims: Iterable[tuple[Claim, datetime]], rows: Mapping[int, Row[Any]]) -> Iterator[order.Freed]:
    """Tell which originators have their turn again, and since when."""
    for claim, moment in claims:
        row = rows[claim.seq]
        if row.originator is not None:
            yield order.Freed(row.account, row.originator, moment)


def _settled(settlement: Settlement) -> dict[str, Any]:
    handled = settlement.step is Step.HANDLE and settlement.state in {State.HANDLED, State.DONE}
    return {
        "_seq": settlement.claim.seq,
        "_state": settlement.state.value,
        "_due_at": stored(settlement.due_at),
        "_handled_at": stored(settlement.ended_at) if handled else None,
        "_done_at": stored(settlement.ended_at) if settlement.state is State.DONE else None,
    }


def _tried(settlement: Settlement, row: Row[Any], *, ours: bool) -> dict[str, Any]:
    outcome = "failed" if settlement.error else "ok"
    error = settlement.error
    if error is not None:  # a customer's exception says it, and it may quote what was erased while the handler ran
        error = ERASED if row.erased_at is not None and settlement.step is Step.HANDLE else storable(error)
    return {
        "seq": settlement.claim.seq,
        "step": settlement.step.value,
        "started_at": stored(settlement.started_at),
        "ended_at": stored(settlement.ended_at),
        "outcome": outcome if ours else f"{outcome}, too late",
        "error": error,
        "owner": settlement.claim.owner,
    }


def release(connection: Connection, releases: Sequence[tuple[Step, datetime, Sequence[Claim]]]) -> list[None]:
    """Give back leases on work that was not begun: due at once, and not counted as an attempt."""
    for step, now, claims in releases:
        rows = _locked(connection, claims)
        ours = [claim for claim in claims if _is_ours(claim, rows)]
        count = _count_of(step)
        connection.execute(
            update(notification)
            .where(_table.seq.in_(few_lengths(claim.seq for claim in ours)))
            .values(owner=None, leased_at=None, due_at=now, **{count: _table[count] - 1})
        )
        if step is Step.HANDLE:
            order.let_next(connection, list(_freed(((claim, now) for claim in ours), rows)))
    return [None] * len(releases)


def revive(connection: Connection, requests: Sequence[tuple[Selection, datetime]]) -> list[int]:
    """Send dead notifications round again with a fresh count of attempts; return how many."""
    return [
        connection.execute(
            update(notification)
            .where(in_state(State.DEAD), *selected(selection))
            .values(state=State.RECEIVED.value, due_at=now, attempts=0)
        ).rowcount
        for selection, now in requests
    ]


def selected(selection: Selection) -> list[ColumnElement[bool]]:
    """Return the conditions of a selection."""
    conditions = []
    if selection.state is not None:
        conditions.append(in_state(selection.state))
    for name in ("kind", "account", "originator", "key"):
        wanted = getattr(selection, name)
        if wanted is not None:
            conditions.append(_table[name] == storable(str(wanted)))
    return conditions
