"""Queries: what is due, how much there is, and the records for people. Nothing here writes."""

from __future__ import annotations

from datetime import timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import func, select

from soap_handler.journal.conditions import has_error, has_number
from soap_handler.journal.execute import query
from soap_handler.journal.insert import searchable, storable
from soap_handler.journal.records import Attempt, Record, Source, State, Step
from soap_handler.journal.schema import SEQ_IN, attempt, in_state, notification
from soap_handler.notifications import Kind, canonical_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from soap_handler.journal.records import Selection
    from soap_handler.journal.scope import Scope

_SCOPES_KEPT: Final = 256  # statements; each destination has a few


def next_handling(connection: Connection, scope: Scope | None = None) -> datetime | None:
    """Return the earliest due time of all that has yet to be handled, or of a part of it."""
    statement = _next_handling(None if scope is None else scope.at_any_instant)
    ((due,),) = query(connection, statement, {} if scope is None else scope.values)
    return cast("datetime | None", due)


@lru_cache(maxsize=_SCOPES_KEPT)
def _next_handling(scope: Scope | None) -> Select[Any]:
    first = select(func.min(notification.c.due_at)).where(in_state(State.RECEIVED))
    return first if scope is None else first.where(scope.condition())


def next_deletions(connection: Connection) -> dict[str, datetime]:
    """Return the earliest due time of the messages that have yet to leave an inbox, by account."""
    return {account: due for account, due in query(connection, _next_deletions(), {})}  # noqa: C416 - a row is no pair to mypy


@cache
def _next_deletions() -> Select[Any]:
    """Return the query that goes from account to account over the index: a backlog of any length costs the same."""
    handled = notification.alias()
    first = select(func.min(handled.c.account).label("account")).where(in_state(State.HANDLED, handled))
    waiting = first.cte("waiting", recursive=True)
    following = first.where(handled.c.account > waiting.c.account).scalar_subquery()
    waiting = waiting.union_all(select(following).where(waiting.c.account.is_not(None)))
    due = select(func.min(handled.c.due_at)).where(in_state(State.HANDLED, handled))
    of_account = due.where(handled.c.account == waiting.c.account).scalar_subquery()
    return select(waiting.c.account, of_account.label("due_at")).where(waiting.c.account.is_not(None))


def trace_contexts(connection: Connection, seqs: Sequence[int]) -> dict[int, str]:
    """Return the trace contexts of those of some rows that have one."""
    with_one = (SEQ_IN, notification.c.trace_context.is_not(None))
    rows = connection.execute(select(notification.c.seq, notification.c.trace_context).where(*with_one), {"seqs": seqs})
    return {row.seq: row.trace_context for row in rows}


def counts(connection: Connection) -> dict[tuple[Kind, State], int]:
    """Return how many notifications there are of each kind in each state."""
    groups = (notification.c.kind, notification.c.state)
    rows = connection.execute(select(*groups, func.count()).group_by(*groups))
    return {(Kind(kind), State(state)): count for kind, state, count in rows}


def accounts(connection: Connection) -> dict[str, int]:
    """Return how many notifications there are of each account, by the name that they bear."""
    rows = connection.execute(select(notification.c.account, func.count()).group_by(notification.c.account))
    return {account: count for account, count in rows}  # noqa: C416 - a row is no pair to mypy


def records(
    connection: Connection, selection: Selection, limit: int | None, offset: int, ahead: timedelta = timedelta()
) -> list[Record]:
    """Return the records of a selection, latest first.

    ``ahead`` is by how much the queue's clock is ahead of the wall clock, by which people read due times.
    """
    query = select(notification).where(*selected(selection)).order_by(notification.c.seq.desc())
    return [record_of(row, ahead) for row in connection.execute(query.limit(limit).offset(offset))]


def selected(selection: Selection) -> list[ColumnElement[bool]]:
    """Return the conditions of a selection."""
    conditions = []
    if selection.state is not None:
        conditions.append(in_state(selection.state))
    if selection.message_id is not None:
        conditions.append(notification.c.message_id == storable(canonical_id(selection.message_id)))
    if selection.account is not None:
        names = (selection.account,) if isinstance(selection.account, str) else selection.account
        conditions.append(notification.c.account.in_([storable(name) for name in names]))
    for name in ("kind", "key"):
        wanted = getattr(selection, name)
        if wanted is not None:
            conditions.append(notification.c[name] == storable(str(wanted)))
    return [*conditions, *_sought(selection), *_between(selection)]


def _sought(selection: Selection) -> Iterator[ColumnElement[bool]]:
    """Yield what is not compared with a column as it is."""
    if selection.originator is not None:
        yield notification.c.originator == searchable(selection.originator)
    if selection.number is not None:
        yield has_number(selection.number)
    if selection.error is not None:
        yield has_error(selection.error)


def _between(selection: Selection) -> Iterator[ColumnElement[bool]]:
    """Yield what bounds the times and the rows' numbers."""
    if selection.since is not None:
        yield notification.c.received_at >= selection.since
    if selection.until is not None:
        yield notification.c.received_at < selection.until
    if selection.after is not None:
        yield notification.c.seq > selection.after
    if selection.seqs is not None:
        yield notification.c.seq.in_(selection.seqs)


def record_of(row: Row[Any], ahead: timedelta) -> Record:
    """Return the record of a row; ``ahead`` is as in :func:`records`."""
    return Record(
        seq=row.seq,
        key=row.key,
        account=row.account,
        kind=Kind(row.kind),
        state=State(row.state),
        source=Source(row.source),
        originator=row.originator,
        received_at=row.received_at,
        due_at=None if row.due_at is None else row.due_at - ahead,
        handled_at=row.handled_at,
        done_at=row.done_at,
        attempts=row.attempts,
        delete_attempts=row.delete_attempts,
        leased=row.owner is not None,
        erased_at=row.erased_at,
        payload=row.payload,
        caller=row.caller,
        api=row.api,
    )


def history(connection: Connection, seq: int) -> list[Attempt]:
    """Return the attempts at one notification, oldest first."""
    rows = connection.execute(select(attempt).where(attempt.c.seq == seq).order_by(attempt.c.id))
    return [_attempt(row) for row in rows]


def attempts(connection: Connection) -> list[tuple[str, Attempt]]:
    """Return every attempt with the key of its notification, oldest first."""
    query = select(notification.c.key, attempt).join(notification).order_by(attempt.c.id)
    return [(row.key, _attempt(row)) for row in connection.execute(query)]


def _attempt(row: Row[Any]) -> Attempt:
    step, content = Step(row.step), row.envelope
    fields = (step, row.started_at, row.ended_at, row.outcome, row.error, row.owner, row.times)
    if step is Step.HANDLE:
        return Attempt(*fields, trace=None if content is None else bytes(content).decode("utf-8", "replace"))
    return Attempt(*fields, envelope=content, caller=row.caller, api=row.api)
