"""Putting new notifications into the journal, many at once. What happens to them afterwards is in ``verbs``."""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Text, bindparam, func, literal_column, select
from sqlalchemy.dialects import sqlite

from soap_handler.fast.compiled_sql import Statement, is_heard
from soap_handler.journal.bulk import ROWS, given
from soap_handler.journal.records import Source, State
from soap_handler.journal.schema import notification, stored
from soap_handler.notifications import Kind, usable_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sqlalchemy import Connection, Dialect

    from soap_handler.journal.records import Entry

_table = notification.c
_RECEIVED: Final = State.RECEIVED.value
_LONGEST: Final = 256  # characters; an index of PostgreSQL takes 2,704 bytes for all of its columns
_TEXT: Final[dict[str, str]] = {each: each.value for each in (*Kind, *Source)}  # quicker than to ask each for its value


class _Recording:
    """Entries on their way into the journal."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        """What is to be inserted, by key."""
        self._keys = []
        for entry in entries:
            key = entry.notification.key
            self._keys.append(key)
            if key not in self.rows:  # the first of equals is the one to store; their order is kept
                self.rows[key] = _row(key, entry)

    def answers(self, inserted: Collection[str]) -> list[bool]:
        """Say of each entry whether it was new, by the keys that were inserted."""
        if len(inserted) == len(self._keys):
            return [True] * len(self._keys)
        new = set(inserted)
        answers = []
        for key in self._keys:
            answers.append(key in new)
            new.discard(key)
        return answers


def record(connection: Connection, entries: Sequence[Entry]) -> list[bool]:
    """Insert what is new and say of each entry whether it was. Insert first: never check, then insert (decision 3)."""
    recording = _Recording(entries)
    insert = _insert_sqlite if connection.dialect.name == "sqlite" else _insert_postgresql
    return recording.answers(insert(connection, recording.rows))


def record_all(connection: Connection, batches: Sequence[Sequence[Entry]]) -> list[list[bool]]:
    """Record several batches as one, and answer each."""
    return _of_each(batches, record(connection, [entry for batch in batches for entry in batch]))


def _of_each(batches: Sequence[Sequence[Entry]], answers: Sequence[bool]) -> list[list[bool]]:
    several = iter(answers)
    return [[next(several) for _ in batch] for batch in batches]


def storable(text: str) -> str:
    """Make a text that every engine takes in a column to search in; the exact one is in the payload."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def searchable(text: str) -> str:
    """Make of an originator what every engine takes into an index; no number or name is longer."""
    return storable(text[:_LONGEST])


def _row(key: str, entry: Entry) -> dict[str, Any]:
    told = entry.notification
    moment = stored(entry.received_at)
    number = getattr(told, "originator", None) or getattr(told, "mobile_number", None)
    identity = getattr(told, "id", None)
    return {
        "key": key,
        "account": told.account,
        "kind": _TEXT[told.kind],
        "state": _RECEIVED,
        "source": _TEXT[entry.source],
        "message_id": storable(identity) if identity and usable_id(identity) else None,
        "originator": searchable(number) if number else None,
        "payload": entry.payload,
        "envelope": entry.envelope,
        "received_at": moment,
        "due_at": moment,
    }


_COLUMNS: Final = tuple(
    _table[name]
    for name in (
        "key",
        "account",
        "kind",
        "state",
        "source",
        "message_id",
        "originator",
        "payload",
        "envelope",
        "received_at",
        "due_at",
    )
)


_INSERT_SQLITE: Final = (
    sqlite.insert(notification)
    .values(
        received_at=bindparam("received_at", type_=BigInteger()),  # as it is stored, whoever executes it
        due_at=bindparam("due_at", type_=BigInteger()),
        attempts=literal_column("0"),
        delete_attempts=literal_column("0"),
    )
    .on_conflict_do_nothing(index_elements=[_table.key])
    .inline()
    .execution_options(preserve_rowcount=True)
)
_QUICK_SQLITE: Final = Statement(_INSERT_SQLITE, [column.name for column in _COLUMNS])


def _insert_sqlite(connection: Connection, rows: Mapping[str, dict[str, Any]]) -> Collection[str]:
    """Insert, and return the keys of what was new. RETURNING would cost twice as much as the insert itself."""
    several = list(rows.values())
    if is_heard(connection):
        new = connection.execute(_INSERT_SQLITE, several).rowcount
    else:
        new = _QUICK_SQLITE.run(connection, several)
    if new == len(rows):
        return rows.keys()
    # Nobody else can write now, and row numbers only grow: the last ones are ours.
    return connection.execute(select(_table.key).order_by(_table.seq.desc()).limit(new)).scalars().all()


@cache
def _the_insert_postgresql() -> Statement:
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - 2 MB that a journal on SQLite need not have

    rows = given({each.name: Text() if each is _table.envelope else each.type for each in _COLUMNS})
    values: dict[str, Any] = {each.name: rows.c[each.name] for each in _COLUMNS}
    values["envelope"] = func.decode(rows.c.envelope, literal_column("'base64'"))
    return Statement(
        postgresql.insert(notification)
        .from_select(
            [*values, _table.attempts, _table.delete_attempts],
            select(*values.values(), literal_column("0"), literal_column("0")),
            include_defaults=False,
        )
        .on_conflict_do_nothing(index_elements=[_table.key])
        .returning(_table.key)
    )


def _insert_postgresql(connection: Connection, rows: Mapping[str, dict[str, Any]]) -> Collection[str]:
    """Do the same in one statement, whose text is the same for any number of rows: they are one parameter, as JSON.

    The driver would write an array for each column value by value, which took longer than the server's part.
    """
    return [key for (key,) in _the_insert_postgresql().ask(connection, {ROWS: _as_json(rows)})]


class RecordingSent:
    """Does what :func:`record_all` does, for whom the answer does not come at once."""

    def text(self, dialect: Dialect) -> str:
        """Return the statement as PostgreSQL's library has it."""
        return _the_insert_postgresql().text(dialect).replace(f"%({ROWS})s", "$1").replace("%%", "%")

    def tell(self, batches: Sequence[Sequence[Entry]]) -> tuple[str, Callable[[Collection[str]], list[list[bool]]]]:
        """Return its parameter, and what makes the answers for each batch of the keys that come back."""
        recording = _Recording([entry for batch in batches for entry in batch])
        return _as_json(recording.rows), lambda inserted: _of_each(batches, recording.answers(inserted))


def _as_json(rows: Mapping[str, dict[str, Any]]) -> str:
    return json.dumps([{**row, "envelope": _base64(row["envelope"])} for row in rows.values()], ensure_ascii=False)


def _base64(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode()
