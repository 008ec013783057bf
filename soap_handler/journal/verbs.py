"""What can happen to a notification, in SQL. Each verb takes many requests and runs inside the writer's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import ColumnElement, bindparam, case, cast, func, null, select, update

from soap_handler.fast.compiled_sql import Statement, few_lengths
from soap_handler.journal import order
from soap_handler.journal.bulk import SeveralRows, one_of, parameters
from soap_handler.journal.claim import ATTEMPT, count_of, due
from soap_handler.journal.claim import ClaimRequest as ClaimRequest  # noqa: PLC0414 - it comes with the next one
from soap_handler.journal.claim import claim as claim  # noqa: PLC0414 - the second of the verbs
from soap_handler.journal.erasure.phone_number import ERASED
from soap_handler.journal.insert import record as record  # noqa: PLC0414 - the first of the verbs
from soap_handler.journal.insert import record_all as record_all  # noqa: PLC0414 - likewise
from soap_handler.journal.insert import searchable, storable
from soap_handler.journal.records import Settlement, State, Step
from soap_handler.journal.schema import THESE, in_state, notification, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, FromClause, Update

    from soap_handler.journal.records import Claim, Selection

_table = notification.c
_due = due  # what a claim asks, for whoever looks at its plan


def settle(connection: Connection, batches: Sequence[Sequence[Settlement]]) -> list[list[bool]]:
    """Write down how attempts ended; say of each whether the lease was still its owner's. If not, nothing moves."""
    answers = iter(_settle(connection, [settlement for batch in batches for settlement in batch]))
    return [[next(answers) for _ in batch] for batch in batches]


def _settle(connection: Connection, settlements: Sequence[Settlement]) -> list[bool]:
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
    _move(connection, [_settled(settlement) for settlement in good])
    handled = ((each.claim, each.ended_at) for each in good if each.step is Step.HANDLE)
    order.let_next(connection, _freed(handled, rows))
    ATTEMPT.run(connection, tried)
    return answers


def _move(connection: Connection, ends: Sequence[Mapping[str, Any]]) -> None:
    """Change the rows of attempts that ended: those that ended alike, as a batch of deletes does, all at once."""
    alike: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for end in ends:
        alike.setdefault(tuple(end[name] for name in _ENDS), []).append(end)
    _SETTLE.run(connection, [end for (end, *others) in alike.values() if not others])
    for same in alike.values():
        if len(same) > 1:
            values = {f"_{name}": same[0][name] for name in _ENDS}
            _SETTLE_ALIKE.run(connection, [{"seqs": few_lengths(end["_seq"] for end in same), **values}])


_ENDS: Final = ("state", "due_at", "handled_at", "done_at")
"""What a settlement changes in its row, besides ending the lease."""


def _ended(new: Callable[[str], ColumnElement[Any]]) -> dict[str, Any]:
    """Return the values that a row gets; ``new`` gives those of ``_ENDS``."""
    return {
        "state": new("state"),
        "due_at": new("due_at"),
        "owner": null(),
        "leased_at": null(),
        "parked_at": null(),
        "handled_at": func.coalesce(_table.handled_at, new("handled_at")),
        "done_at": new("done_at"),
    }


_SETTLE_ALIKE: Final = Statement(
    update(notification).where(THESE).values(_ended(lambda name: bindparam(f"_{name}", type_=_table[name].type))),
    many="seqs",
)


def _write_settle(count: int) -> Update:
    seqs = parameters("_seq", count, _table.seq.type)

    def new(name: str) -> ColumnElement[Any]:
        values = parameters(name, count, _table[name].type)
        chosen = case(*((_table.seq == seq, value) for seq, value in zip(seqs, values, strict=True)))
        return cast(chosen, _table[name].type)  # where all of them are NULL, a database could not know the type

    return update(notification).where(_table.seq.in_(seqs)).values(_ended(new))


def _write_settle_given(rows: FromClause) -> Update:
    theirs = one_of(_table.seq, select(rows.c["_seq"])), _table.seq == rows.c["_seq"]
    return update(notification).where(*theirs).values(_ended(lambda name: rows.c[name]))


_SETTLE: Final = SeveralRows(
    {"_seq": _table.seq.type, **{name: _table[name].type for name in _ENDS}}, _write_settle, _write_settle_given
)


class _Present(NamedTuple):
    """What a row says now, as the driver gives it."""

    seq: int
    owner: str | None
    account: str
    originator: str | None
    erased_at: int | None


def _locked(connection: Connection, claims: Sequence[Claim]) -> dict[int, _Present]:
    """Return the present rows of some claims, by number; nobody else changes them until the commit."""
    if not claims:
        return {}
    rows = _LOCKED.ask(connection, {"seqs": few_lengths(claim.seq for claim in claims)})
    return {row[0]: _Present(*row) for row in rows}


_LOCKED: Final = Statement(  # in one order for all, or two could wait for each other
    select(*(_table[name] for name in _Present._fields)).where(THESE).order_by(_table.seq).with_for_update(),
    many="seqs",
)


def _is_ours(claim: Claim, rows: Mapping[int, _Present]) -> bool:
    return claim.seq in rows and rows[claim.seq].owner == claim.owner


def _freed(claims: Iterable[tuple[Claim, datetime]], rows: Mapping[int, _Present]) -> Iterator[order.Freed]:
    """Tell which originators have their turn again, and since when."""
    for each, moment in claims:
        row = rows[each.seq]
        if row.originator is not None:
            yield order.Freed(row.account, row.originator, moment)


def _settled(settlement: Settlement) -> dict[str, Any]:
    handled = settlement.step is Step.HANDLE and settlement.state in {State.HANDLED, State.DONE}
    return {
        "_seq": settlement.claim.seq,
        "state": settlement.state.value,
        "due_at": stored(settlement.due_at),
        "handled_at": stored(settlement.ended_at) if handled else None,
        "done_at": stored(settlement.ended_at) if settlement.state is State.DONE else None,
    }


def _tried(settlement: Settlement, row: _Present, *, ours: bool) -> dict[str, Any]:
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
        count = count_of(step)
        connection.execute(
            update(notification)
            .where(_table.seq.in_(few_lengths(claim.seq for claim in ours)))
            .values(owner=None, leased_at=None, due_at=now, **{count: _table[count] - 1})
        )
        if step is Step.HANDLE:
            order.let_next(connection, _freed(((claim, now) for claim in ours), rows))
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
    for name in ("kind", "account", "key"):
        wanted = getattr(selection, name)
        if wanted is not None:
            conditions.append(_table[name] == storable(str(wanted)))
    if selection.originator is not None:
        conditions.append(_table.originator == searchable(selection.originator))
    return conditions
