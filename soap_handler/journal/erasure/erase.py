"""Erasing a phone number from the tables. How a number is recognised is in ``phone_number``.

A row about the number (its originator, recipient or subscriber) becomes a tombstone: its content goes, its account and
id stay, and so does a digest that stands for an id. So another copy of the message is still a duplicate, and is not
recovered from the inbox. Where another row mentions the number, only the mention goes.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import delete, select, update

from soap_handler.journal import order
from soap_handler.journal.erasure.phone_number import ERASED, is_any
from soap_handler.journal.execute import queue_now
from soap_handler.journal.records import State, Step
from soap_handler.journal.schema import attempt, notification, reconciliation
from soap_handler.notifications import Kind, key_under

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row

    from soap_handler.journal.erasure.phone_number import Trace

_ROWS_PER_STEP: Final = 200  # examined, and changed in one transaction
_NUMBERS: Final = ("originator", "recipient", "mobile_number")  # what a notification is about, in its stored form

_DIGEST: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
"""The end of a key that was made of the content: it shows nothing of it, and tells another copy."""

_table = notification.c


@dataclass(frozen=True, slots=True)
class Erasure:
    """The counts of what was erased, or would be."""

    notifications: int = 0
    """Rows about the number, now tombstones."""
    waiting: int = 0
    """Those of them that had yet to be handled, and will not be."""
    mentions: int = 0
    """Other rows that mentioned the number in their content, or in the request that they came with."""
    attempts: int = 0
    """Attempts whose error text was removed or changed."""
    reconciliations: int = 0
    """Reconciliations whose error text was changed."""

    def __add__(self, other: Erasure) -> Erasure:
        """Return both together."""
        return Erasure(**{name: value + getattr(other, name) for name, value in asdict(self).items()})

    def __bool__(self) -> bool:
        """Whether there was anything."""
        return self != Erasure()


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """A request to erase a number."""

    trace: Trace
    now: datetime
    account: str | None = None
    """In this account only."""
    inboxes: frozenset[str] = frozenset()
    """Accounts from whose EMS inbox messages are deleted."""


class Batch(NamedTuple):
    """Rows in which the number was found, by table."""

    wanted: ErasureRequest
    seqs: Sequence[int] = ()
    attempts: Sequence[int] = ()
    runs: Sequence[int] = ()


def find(connection: Connection, wanted: ErasureRequest) -> Iterator[Batch]:
    """Go through the whole journal and name the rows that are concerned, some at a time. Nothing is written."""
    for rows in _chunks(connection, notification, _in_account(wanted)):
        seqs = [row.seq for row in rows if _is_about(row, wanted.trace) or _mentions(row, wanted.trace)]
        if seqs:
            yield Batch(wanted, seqs=seqs)
    for rows in _chunks(connection, attempt, [attempt.c.error.is_not(None) | attempt.c.envelope.is_not(None)]):
        ids = [row.id for row in rows if _is_in_attempt(row, wanted.trace)]
        if ids:
            yield Batch(wanted, attempts=ids)
    of_account = [] if wanted.account is None else [reconciliation.c.account == wanted.account]
    for rows in _chunks(connection, reconciliation, [reconciliation.c.error.is_not(None), *of_account]):
        ids = [row.id for row in rows if wanted.trace.is_in(row.error)]
        if ids:
            yield Batch(wanted, runs=ids)


def _is_in_attempt(row: Row[Any], trace: Trace) -> bool:
    return trace.is_in(row.error or "") or (row.envelope is not None and trace.is_in_bytes(row.envelope))


def _in_account(wanted: ErasureRequest) -> list[ColumnElement[bool]]:
    return [] if wanted.account is None else [_table.account == wanted.account]


def _chunks(connection: Connection, table: Any, conditions: list[ColumnElement[bool]]) -> Iterator[Sequence[Row[Any]]]:  # noqa: ANN401 - any of the tables
    number = table.primary_key.columns[0]
    after = 0
    while True:
        query = select(table).where(number > after, *conditions).order_by(number).limit(_ROWS_PER_STEP)
        rows = connection.execute(query).all()
        if not rows:
            return
        yield rows
        after = getattr(rows[-1], number.name)


def _is_about(row: Row[Any], trace: Trace) -> bool:
    content = _content(row)
    named_after = row.message_id is not None and trace.without_in(row.message_id) != row.message_id
    return named_after or is_any(trace, [row.originator, *(content.get(name) for name in _NUMBERS)])


def _mentions(row: Row[Any], trace: Trace) -> bool:
    if row.envelope is not None and trace.is_in_bytes(row.envelope):
        return True
    content = _content(row)
    return _cleaned(content, trace) != content if content else trace.is_in(row.payload)


def _cleaned(content: dict[str, Any], trace: Trace) -> dict[str, Any]:
    """Return the content of a row without the number; but the account's name stays, even if it is a number."""
    return {name: value if name == "account" else trace.without_in(value) for name, value in content.items()}


def _content(row: Row[Any]) -> dict[str, Any]:
    """Return the content of a row; empty where it cannot be read."""
    try:
        content = json.loads(row.payload)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def erase(connection: Connection, batches: Sequence[Batch]) -> list[Erasure]:
    """Carry out what was found; return what was done."""
    return [
        _erase_rows(connection, batch) + _erase_attempts(connection, batch) + _erase_runs(connection, batch)
        for batch in batches
    ]


def rehearse(connection: Connection, wanted: ErasureRequest) -> Erasure:
    """Count what would be erased; nothing is written."""
    found = Erasure()
    attempts: set[int] = set()
    for batch in find(connection, wanted):
        own = [row for row in _rows(connection, batch.seqs) if _is_about(row, wanted.trace)]
        waiting = sum(row.state == State.RECEIVED.value for row in own)
        found += Erasure(len(own), waiting, len(batch.seqs) - len(own), reconciliations=len(batch.runs))
        errors = _errors(connection, [row.seq for row in own], batch.attempts, wanted)
        attempts.update(row.id for row in errors)
    return found + Erasure(attempts=len(attempts))


def _erase_rows(connection: Connection, batch: Batch) -> Erasure:
    done = Erasure()
    for row in _rows(connection, batch.seqs, lock=True):
        if _is_about(row, batch.wanted.trace):
            done += _make_tombstone(connection, row, batch.wanted)
        elif _mentions(row, batch.wanted.trace):
            _clean(connection, row, batch.wanted.trace)
            done += Erasure(mentions=1)
    return done


def _rows(connection: Connection, seqs: Sequence[int], *, lock: bool = False) -> Sequence[Row[Any]]:
    query = select(notification).where(_table.seq.in_(seqs)).order_by(_table.seq)
    return connection.execute(query.with_for_update() if lock else query).all() if seqs else []


def _make_tombstone(connection: Connection, row: Row[Any], wanted: ErasureRequest) -> Erasure:
    """Turn a row into a tombstone. A handler that is running for it loses its lease."""
    content, trace = _content(row), wanted.trace
    known_id = row.message_id if row.message_id and trace.without_in(row.message_id) == row.message_id else None
    values: dict[str, Any] = {
        "payload": json.dumps({"account": row.account, "id": content.get("id", known_id) if known_id else ""}),
        "message_id": known_id,
        "originator": None,
        "envelope": None,
        "parked_at": None,
        "caller": None,
        "api": None,
        "erased_at": wanted.now,
    }
    if not _DIGEST.fullmatch(row.key.rpartition("/")[2]) and known_id is None:  # the number is in the id, so in the key
        values["key"] = key_under(row.account, f"/{row.kind}/erased-{uuid.uuid4().hex}")
    values |= _ending(row, wanted, queue_now(connection), has_id=known_id is not None)
    connection.execute(update(notification).where(_table.seq == row.seq).values(**values))
    texts = (attempt.c.seq == row.seq) & attempt.c.error.is_not(None) & (attempt.c.error != ERASED)
    attempts = connection.execute(update(attempt).where(texts).values(error=ERASED)).rowcount
    contents = (attempt.c.seq == row.seq) & attempt.c.envelope.is_not(None)
    attempts += connection.execute(update(attempt).where(contents).values(envelope=None)).rowcount
    connection.execute(delete(attempt).where(attempt.c.seq == row.seq, attempt.c.step == Step.PUSH.value))
    waiting = row.state == State.RECEIVED.value
    if waiting and row.originator is not None:
        order.unblock_next(connection, [order.Freed(row.account, row.originator, queue_now(connection))])
    return Erasure(1, int(waiting), attempts=attempts)


def _ending(row: Row[Any], wanted: ErasureRequest, due_at: datetime, *, has_id: bool) -> dict[str, Any]:
    """Return where an erased row goes: it is not handled any more, but it still leaves the inbox."""
    if row.state == State.DONE.value or (row.state == State.HANDLED.value and has_id):
        return {}
    values: dict[str, Any] = {"owner": None, "leased_at": None}
    in_inbox = row.kind == Kind.MESSAGE_RECEIVED.value and not row.delete_attempts  # else a replay: it has left
    if has_id and in_inbox and row.account in wanted.inboxes:
        return {**values, "state": State.HANDLED.value, "due_at": due_at}
    return {**values, "state": State.DONE.value, "due_at": None, "done_at": wanted.now}


def _clean(connection: Connection, row: Row[Any], trace: Trace) -> None:
    """Replace each mention. A request is replaced whole: it may hold the number in a form that only a parser sees."""
    content = _content(row)
    payload = json.dumps(_cleaned(content, trace), separators=(",", ":")) if content else trace.without(row.payload)
    envelope = None if row.envelope is None else ERASED.encode()
    values = {"payload": payload, "envelope": envelope}
    connection.execute(update(notification).where(_table.seq == row.seq).values(**values))


def _errors(connection: Connection, seqs: Sequence[int], ids: Sequence[int], wanted: ErasureRequest) -> Sequence[Any]:
    """Return the error texts of some notifications, and some others by their id, as far as they are concerned."""
    query = select(attempt.c.id, attempt.c.error, attempt.c.envelope).join(notification).where(*_in_account(wanted))
    concerned = attempt.c.seq.in_(seqs) | attempt.c.id.in_(ids)
    has_text = (attempt.c.error.is_not(None) & (attempt.c.error != ERASED)) | attempt.c.envelope.is_not(None)
    return connection.execute(query.where(concerned, has_text)).all()


def _erase_attempts(connection: Connection, batch: Batch) -> Erasure:
    if not batch.attempts:
        return Erasure()
    rows = _errors(connection, (), batch.attempts, batch.wanted)
    for row in rows:
        text = None if row.error is None else batch.wanted.trace.without(row.error)
        envelope = None if row.envelope is None else ERASED.encode()  # whole, as that of a notification
        connection.execute(update(attempt).where(attempt.c.id == row.id).values(error=text, envelope=envelope))
    return Erasure(attempts=len(rows))


def _erase_runs(connection: Connection, batch: Batch) -> Erasure:
    for number in batch.runs:
        own = reconciliation.c.id == number
        text = connection.scalar(select(reconciliation.c.error).where(own)) or ""
        connection.execute(update(reconciliation).where(own).values(error=batch.wanted.trace.without(text)))
    return Erasure(reconciliations=len(batch.runs))
