"""Settle: the end of an attempt, a lease given back, a dead notification sent round again. All end or skip a lease.

Settling is ``WHERE owner = me`` under a row lock: an attempt that overran its lease changes nothing but the history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Integer, bindparam, func, insert, null, select, update

from soap_handler.journal import order
from soap_handler.journal.claim import ATTEMPT, count_of
from soap_handler.journal.erasure.phone_number import ERASED
from soap_handler.journal.execute import Instant, execute, query, queue_now
from soap_handler.journal.insert import by_batch, storable
from soap_handler.journal.records import Settlement, State, Step
from soap_handler.journal.schema import NO_LEASE, SEQ_IN, attempt, notification

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Connection

    from soap_handler.journal.records import Claim

_table = notification.c


def settle(connection: Connection, batches: Sequence[Sequence[Settlement]]) -> list[list[bool]]:
    """End attempts, and return for each whether its claim still held the lease. If not, the row does not move."""
    return by_batch(batches, _settle(connection, [settlement for batch in batches for settlement in batch]))


def _settle(connection: Connection, settlements: Sequence[Settlement]) -> list[bool]:
    rows = _locked(connection, [settlement.claim for settlement in settlements])
    held = {settlement.claim.seq for settlement in settlements if _is_held(settlement.claim, rows)}
    ended, attempts, answers, traced = [], [], [], []
    for settlement in settlements:
        seq = settlement.claim.seq
        answer = seq in held and _is_held(settlement.claim, rows)
        answers.append(answer)
        if answer:
            held.discard(seq)  # the first settlement ends the lease
            ended.append(settlement)
        if seq in rows:  # else it was purged
            line = _attempt(settlement, rows[seq], in_time=answer)
            if settlement.trace and rows[seq].erased_at is None:
                traced.append({**line, "envelope": storable(settlement.trace).encode()})
            else:
                attempts.append(line)
    execute(connection, SETTLE, [_settled(settlement) for settlement in ended])
    handled = [each.claim for each in ended if each.step is Step.HANDLE]
    order.unblock_next(connection, _freed(handled, rows, queue_now(connection)))
    execute(connection, ATTEMPT, [row for row in attempts if not _folded(connection, row)])
    for row in traced:
        _write_traced(connection, row)
    return answers


def _folded(connection: Connection, row: dict[str, Any]) -> bool:
    """Count a failed delete in the row of the one before it, if that failed alike; return whether it did.

    An inbox that refuses for days would fill the journal with one row for each message and attempt.
    """
    if row["step"] != Step.DELETE.value or row["outcome"] != "failed":
        return False
    last = select(func.max(attempt.c.id)).where(attempt.c.seq == row["seq"]).scalar_subquery()
    alike = [attempt.c[name] == row[name] for name in ("step", "outcome", "error")]
    values = {"ended_at": row["ended_at"], "owner": row["owner"], "times": attempt.c.times + 1}
    return connection.execute(update(attempt).where(attempt.c.id == last, *alike).values(values)).rowcount > 0


def _write_traced(connection: Connection, row: dict[str, Any]) -> None:
    """Write an attempt with the frames of its error; earlier ones of the same frames need not keep them too."""
    alike = (attempt.c.seq == row["seq"], attempt.c.step == row["step"], attempt.c.envelope == row["envelope"])
    connection.execute(update(attempt).where(*alike).values(envelope=None))
    connection.execute(insert(attempt), row)


SETTLE: Final = (
    update(notification)
    .where(_table.seq == bindparam("_seq"))
    .values(
        state=bindparam("_state"),
        due_at=bindparam("_due_at", type_=Instant()),
        owner=null(),
        leased_at=NO_LEASE,
        parked_at=null(),
        handled_at=func.coalesce(_table.handled_at, bindparam("_handled_at", type_=Instant())),
        done_at=bindparam("_done_at", type_=Instant()),
        attempts=func.coalesce(bindparam("_attempts", type_=Integer()), _table.attempts),
    )
)
"""End the lease of a row, and give it the state that follows."""


class _Present(NamedTuple):
    """The present values of a row that a claim names."""

    seq: int
    owner: str | None
    account: str
    originator: str | None
    erased_at: datetime | None


LOCK: Final = (
    select(*(_table[name] for name in _Present._fields))
    .where(SEQ_IN)
    .order_by(_table.seq)
    .with_for_update(key_share=True)
)
"""Lock rows, in one order for all processes: two could wait for each other otherwise. A new duplicate need not wait."""


def _locked(connection: Connection, claims: Sequence[Claim]) -> dict[int, _Present]:
    """Return the present rows of some claims by number, locked until the commit."""
    if not claims:
        return {}
    rows = query(connection, LOCK, {"seqs": [claim.seq for claim in claims]})
    return {row[0]: _Present(*row) for row in rows}


def _is_held(claim: Claim, rows: Mapping[int, _Present]) -> bool:
    return claim.seq in rows and rows[claim.seq].owner == claim.owner


def _freed(ended: Iterable[Claim], rows: Mapping[int, _Present], now: datetime) -> Iterator[order.Freed]:
    """Yield the originators whose next row may start, from now on."""
    for claim in ended:
        row = rows[claim.seq]
        if row.originator is not None:
            yield order.Freed(row.account, row.originator, now)


def _settled(settlement: Settlement) -> dict[str, Any]:
    is_attempt = settlement.step is Step.HANDLE and settlement.uncalled is None
    is_handled = is_attempt and settlement.state in {State.HANDLED, State.DONE}
    return {
        "_seq": settlement.claim.seq,
        "_state": settlement.state.value,
        "_due_at": settlement.due_at,
        "_handled_at": settlement.ended_at if is_handled else None,
        "_done_at": settlement.ended_at if settlement.state is State.DONE else None,
        "_attempts": settlement.claim.attempts if is_attempt else None,
    }


def _attempt(settlement: Settlement, row: _Present, *, in_time: bool) -> dict[str, Any]:
    outcome = settlement.uncalled or ("failed" if settlement.error else "ok")
    error = settlement.error
    if error is not None:  # the text of a customer's exception may quote what was erased while the handler ran
        error = ERASED if row.erased_at is not None and settlement.step is Step.HANDLE else storable(error)
    return {
        "seq": settlement.claim.seq,
        "step": settlement.step.value,
        "started_at": settlement.started_at,
        "ended_at": settlement.ended_at,
        "outcome": outcome if in_time else f"{outcome}, too late",
        "error": error,
        "owner": settlement.claim.owner,
    }


def release(connection: Connection, releases: Sequence[tuple[Step, timedelta, Sequence[Claim]]]) -> list[None]:
    """Give back leases on work that was not begun: due after a pause, and not counted as an attempt."""
    for step, pause, claims in releases:
        now = queue_now(connection) + pause
        rows = _locked(connection, claims)
        held = [claim for claim in claims if _is_held(claim, rows)]
        # Back to the count before the claim: a delete was counted then, a suspect at its begin, others not yet.
        for attempts in {claim.attempts - 1 for claim in held}:
            connection.execute(
                update(notification)
                .where(_table.seq.in_([claim.seq for claim in held if claim.attempts - 1 == attempts]))
                .values(owner=None, leased_at=NO_LEASE, due_at=now, **{count_of(step): attempts})
            )
        if step is Step.HANDLE:
            order.unblock_next(connection, _freed(held, rows, now))
    return [None] * len(releases)
