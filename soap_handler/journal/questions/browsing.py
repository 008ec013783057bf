"""Browsing: the notifications of a selection page by page, by keyset, each page within a time limit.

What has an index is found through it. Anything else, such as a phone number, is looked for from the newest row back
until the page is full or the time is over: then the page says how far it looked, and the next one goes on from there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, column, func, literal, or_, select, values

from soap_handler.journal.insert import storable
from soap_handler.journal.queries import record_of, selected
from soap_handler.journal.questions.search import last_errors
from soap_handler.journal.records import State
from soap_handler.journal.schema import attempt, in_state, notification
from soap_handler.notifications import Kind, canonical_id, key_under

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import ColumnElement, Connection, Row

    from soap_handler.journal.records import Record, Selection

ROWS: Final = 50
SECONDS: Final = 0.1
"""How long one page looks for rows that have no index."""
FEW: Final = 20_000
"""So many rows of an index are looked through at once."""
FIRST_WINDOW: Final = 4_000
"""Rows that are looked through first."""
_LARGEST_WINDOW: Final = 16_000  # where its rows are not in memory, it takes a multiple of the time of the one before
WINDOW_SECONDS: Final = 0.015
"""A window that took less is followed by one of twice its size."""
_INDEXED: Final = (State.RECEIVED, State.HANDLED, State.DEAD)
_AFTER_ALL: Final = "\U0010ffff"
_table = notification.c


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for: a selection, and beside it the beginning of keys or message ids."""

    selection: Selection
    begins: str | None = None
    """A key, a message id, or how one begins."""
    accounts: Sequence[str] = ()
    """The names of the accounts, by which keys begin."""
    before: int | None = None
    """Only rows of lower numbers: the last row of the page before."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some notifications, the latest first."""

    records: list[Record] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)
    """The last error of each that has one, by number."""
    older: int | None = None
    """Where the next page goes on (``Search.before``); ``None`` at the end."""
    looked_back_to: datetime | None = None
    """Set where the time was over before the page was full: until then nothing was left out."""
    total: int | None = None
    """How many there are on all pages; ``None`` where that was not counted."""


def browse(
    connection: Connection, wanted: Search, ahead: timedelta, *, most: int = ROWS, seconds: float | None = None
) -> Page:
    """Return the next page of what is wanted, of ``most`` rows, after ``seconds`` (:data:`SECONDS`) at the latest.

    ``ahead`` is by how much the queue's clock is ahead of the wall clock, by which people read due times.
    """
    narrow = _narrow(connection, wanted)
    total: int | None = None
    looked_to: int | None = None
    if narrow is None:
        rows, looked_to = _look_back(
            connection, _conditions(wanted), wanted.before, most, SECONDS if seconds is None else seconds
        )
    else:
        conditions = [*_conditions(replace(wanted, begins=None)), *narrow]
        total = int(connection.scalar(select(func.count()).select_from(notification).where(*conditions)) or 0)
        rows = _at_once(connection, conditions, wanted.before, most)
    older = rows[most - 1].seq if len(rows) > most else looked_to
    found = [record_of(row, ahead) for row in rows[:most]]
    return Page(
        found,
        last_errors(connection, [record.seq for record in found]),
        older,
        None if looked_to is None else _time_of(connection, looked_to),
        total,
    )


def _conditions(wanted: Search) -> list[ColumnElement[bool]]:
    selection = wanted.selection
    conditions = selected(replace(selection, error=None))
    if selection.error is not None:
        conditions.append(_failed_with(selection.error))
    if wanted.begins:
        text, identity = _texts(wanted.begins)
        # By row, whatever account and kind stand before the id. It may find too much, in other parts of a key.
        has_part = _table.key.contains(f"/{identity}", autoescape=True)
        conditions.append(or_(_table.key.startswith(text, autoescape=True), has_part))
    return conditions


def _failed_with(text: str) -> ColumnElement[bool]:
    """Return the condition of ``conditions.has_error``, asked of one row after the other: here rows are few."""
    errors = select(attempt.c.error).where(attempt.c.seq == _table.seq, attempt.c.error.is_not(None))
    last = errors.order_by(attempt.c.id.desc()).limit(1).correlate(notification)
    return last.scalar_subquery().icontains(text, autoescape=True)


def _texts(begins: str) -> tuple[str, str]:
    """Return the beginning of a key, and the same as that of a message id, which has one letter case in keys."""
    text = storable(begins.strip())
    return text, canonical_id(text).lstrip("{")


def _beginnings(wanted: Search) -> list[str]:
    """Return how a key may begin: with the text itself, or with what stands before a message id that begins so."""
    text, identity = _texts(wanted.begins or "")
    with_id = (f"{key_under(account, '')}/{kind}/{identity}" for account in wanted.accounts for kind in Kind)
    return list(dict.fromkeys([text, *with_id]))


def _narrow(connection: Connection, wanted: Search) -> list[ColumnElement[bool]] | None:
    """Return the conditions by which an index leads to a few rows; ``None`` where there are none, or more rows."""
    narrow = [in_state(wanted.selection.state)] if wanted.selection.state in _INDEXED else []
    if wanted.begins:
        narrow.append(_begun(_beginnings(wanted), in_ranges=connection.dialect.name == "sqlite"))
    found = 0
    if narrow:
        some = select(_table.seq).where(*narrow).limit(FEW + 1).subquery()
        found = int(connection.scalar(select(func.count()).select_from(some)) or 0)
    # No key begins so under the names that are known. One under another name, or in PostgreSQL a longer one, may.
    is_answer = found or not wanted.begins
    return narrow if narrow and found <= FEW and is_answer else None


def _begun(beginnings: Sequence[str], *, in_ranges: bool) -> ColumnElement[bool]:
    """Return the condition that the unique key finds keys that begin like one of these, or are the first of them.

    Ranges serve SQLite, whose order of texts is that of their bytes. PostgreSQL's is that of some language.
    """
    if not in_ranges:
        return _table.key == beginnings[0]
    low = values(column("low", Text), name="beginning").data([(each,) for each in beginnings])
    beginning, other = low.cte("beginning").c, notification.alias("begun").c
    # One range for each beginning: there may be thousands, too many for a chain of ORs.
    begun = select(other.seq).where(other.key >= beginning.low, other.key < beginning.low + literal(_AFTER_ALL))
    return _table.seq.in_(begun)


def _at_once(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], before: int | None, most: int
) -> Sequence[Row[Any]]:
    """Return the rows of a page and one more. The sum keeps an engine from going through the table by number."""
    number = _table.seq + 0
    query = select(notification).where(*conditions, *([] if before is None else [number < before]))
    return connection.execute(query.order_by(number.desc()).limit(most + 1)).all()


def _look_back(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], before: int | None, most: int, seconds: float
) -> tuple[Sequence[Row[Any]], int | None]:
    """Return the rows of a page and one more, and the number down to which was looked where the time was over."""
    # Two statements: SQLite takes either end from the index only where it is asked for alone.
    first, last = (connection.scalar(select(end(_table.seq))) for end in (func.min, func.max))
    edge = (last or 0) + 1 if before is None else before
    rows: list[Row[Any]] = []
    size = FIRST_WINDOW
    began = time.monotonic()
    while first is not None and edge > first:
        window_began = time.monotonic()
        low = max(edge - size, first)
        query = select(notification).where(*conditions, _table.seq >= low, _table.seq < edge)
        rows += connection.execute(query.order_by(_table.seq.desc()).limit(most + 1 - len(rows))).all()
        if len(rows) > most:
            return rows, None
        edge, now = low, time.monotonic()
        if edge > first and now - began > seconds:
            return rows, edge
        if now - window_began < WINDOW_SECONDS:
            size = min(2 * size, _LARGEST_WINDOW)
    return rows, None


def _time_of(connection: Connection, seq: int) -> datetime | None:
    query = select(_table.received_at).where(_table.seq >= seq).order_by(_table.seq).limit(1)
    return connection.scalar(query)


def original(connection: Connection, seq: int) -> bytes | None:
    """Return the request that brought a notification, password masked; ``None`` where it is not kept."""
    found = connection.scalar(select(_table.envelope).where(_table.seq == seq))
    return None if found is None else bytes(found)


def record(connection: Connection, seq: int, ahead: timedelta) -> Record | None:
    """Return the record of one notification by its number; ``ahead`` is as for :func:`browse`."""
    row = connection.execute(select(notification).where(_table.seq == seq)).first()
    return None if row is None else record_of(row, ahead)
