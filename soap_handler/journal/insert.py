"""Insert: new notifications enter the journal here, and this is where a duplicate is decided.

Insert first, never check and then insert: a unique key and ``ON CONFLICT DO NOTHING`` decide (design, decision 4).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from soap_handler.journal.copies import note_copies, recorded_before
from soap_handler.journal.execute import QUEUE_CLOCK, execute, query
from soap_handler.journal.records import Source, State
from soap_handler.journal.schema import notification
from soap_handler.notifications import TEST_ID, stored

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Executable

    from soap_handler.journal.records import Entry

_SEARCHABLE_LENGTH: Final = 256  # characters; an index of PostgreSQL takes 2,704 bytes for all of its columns

_table = notification.c


def record(connection: Connection, entries: Sequence[Entry]) -> list[bool]:
    """Insert the entries whose key is new, with their others, and return for each entry whether it was new."""
    if not [entry for entry in entries if entry.others or entry.notification.digest]:
        return _record(connection, entries)
    together = [each for entry in entries for each in (entry, *entry.others)]
    answers = _record(connection, together, recorded_before(connection, together))
    return [first for first, *_ in by_batch([(entry, *entry.others) for entry in entries], answers)]


def record_all(connection: Connection, batches: Sequence[Sequence[Entry]]) -> list[list[bool]]:
    """Insert several batches as one, and return the answers of :func:`record` batch by batch."""
    if len(batches) == 1:
        return [record(connection, batches[0])]
    return by_batch(batches, record(connection, [entry for batch in batches for entry in batch]))


def _record(connection: Connection, entries: Sequence[Entry], recorded: Collection[str] = ()) -> list[bool]:
    """Insert the entries whose key is new. ``recorded`` are keys of those that count as duplicates all the same."""
    keys, rows = rows_by_key(entries, connection.get_execution_options()[QUEUE_CLOCK].now())
    for key in recorded:
        del rows[key]
    insert = _insert_sqlite if connection.dialect.name == "sqlite" else _insert_postgresql
    answers = are_new(keys, insert(connection, rows) if rows else ())
    if not all(answers):
        note_copies(connection, [entry for entry, new in zip(entries, answers, strict=True) if not new])
    return answers


def rows_by_key(entries: Iterable[Entry], now: datetime) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Return the key of each entry, and the rows to insert by key. Of equal entries the first is the one to store.

    ``now`` is of the queue's clock: they are due at once, whatever the wall clock of :attr:`Entry.received_at` said.
    """
    keys: list[str] = []
    rows: dict[str, dict[str, Any]] = {}
    for entry in entries:
        key, message_id, payload = stored(entry.notification)
        keys.append(key)
        if key not in rows:
            rows[key] = _row(key, message_id, payload, entry, now)
    return keys, rows


def are_new(keys: Sequence[str], inserted: Collection[str]) -> list[bool]:
    """Return for each key whether it was inserted; of equal keys, only the first was."""
    if len(inserted) == len(keys):
        return [True] * len(keys)
    new, answers = set(inserted), []
    for key in keys:
        answers.append(key in new)
        new.discard(key)
    return answers


def by_batch(batches: Sequence[Sequence[object]], answers: Sequence[bool]) -> list[list[bool]]:
    """Split the answers to all that came into those of each batch."""
    all_answers = iter(answers)
    return [[next(all_answers) for _ in batch] for batch in batches]


def storable(text: str) -> str:
    """Return a text that both engines take in a column to search in; the exact text is in the payload."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def searchable(text: str) -> str:
    """Return an originator as both engines take it into an index; no number or name is longer."""
    return storable(text[:_SEARCHABLE_LENGTH])


def _row(key: str, message_id: str | None, payload: str, entry: Entry, now: datetime) -> dict[str, Any]:
    notified = entry.notification
    originator = getattr(notified, "originator", None) or getattr(notified, "mobile_number", None)
    # A test notification is stored as done; that is decided here, where every way into the journal ends.
    test = str(getattr(notified, "id", "")).startswith(TEST_ID)
    row: dict[str, Any] = {
        "key": key,
        "account": notified.account,
        "kind": str(notified.kind),
        "state": str(State.DONE if test else State.RECEIVED),
        "source": str(Source.TEST if test else entry.source),
        "message_id": storable(message_id) if message_id else None,
        "originator": searchable(originator) if originator else None,
        "payload": payload,
        "envelope": entry.envelope,
        "received_at": entry.received_at,
        "due_at": None if test else now,
        "done_at": entry.received_at if test else None,
        "attempts": 0,
        "delete_attempts": 0,
        "caller": entry.caller,
        "api": entry.api,
    }
    if entry.trace_context is not None:  # where traces are off, the column is not even named
        row["trace_context"] = entry.trace_context
    return row


@cache
def _sqlite_insert() -> Executable:
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - only the dialect in use is loaded

    return sqlite.insert(notification).on_conflict_do_nothing(index_elements=[_table.key]).inline()


@cache
def postgresql_insert() -> Executable:
    """Return the insert for PostgreSQL, which returns the keys of the new rows."""
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - 2 MB that a journal on SQLite does not need

    return postgresql.insert(notification).on_conflict_do_nothing(index_elements=[_table.key]).returning(_table.key)


def _insert_sqlite(connection: Connection, rows: Mapping[str, dict[str, Any]]) -> Collection[str]:
    """Insert, and return the keys of the new rows. On SQLite, RETURNING would double the cost of the insert."""
    new = execute(connection, _sqlite_insert(), list(rows.values()))
    if new == len(rows):
        return rows.keys()
    # No other connection can write now, and row numbers only grow: the last ones are the new ones.
    return connection.execute(select(_table.key).order_by(_table.seq.desc()).limit(new)).scalars().all()


def _insert_postgresql(connection: Connection, rows: Mapping[str, dict[str, Any]]) -> Collection[str]:
    """Insert, and return the keys of the new rows."""
    return [key for (key,) in query(connection, postgresql_insert(), list(rows.values()))]
