"""Copies of what is in the journal already: what a duplicate brings that the first copy had not, and keys of old.

None of it concerns a usual push: insert.py asks only about duplicates, and about requests that had to be repaired.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select

from soap_handler.journal.records import Step
from soap_handler.journal.schema import attempt, notification
from soap_handler.notifications import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from soap_handler.journal.records import Entry

OUTCOME: Final = "duplicate"
"""How the history calls another push."""
_WAS_REPAIRED: Final = '%,"repaired":["%'
"""A payload that has marks. In a text the quotes would be escaped, so nothing else looks like this."""

_table = notification.c


def note_copies(connection: Connection, duplicates: Sequence[Entry]) -> None:
    """Note a duplicate in the history of its first copy, with its content, where it says what the first did not.

    That is where the first copy had to be repaired and this one says something else. The handler is not called again:
    both are one message. Each content is noted once.
    """
    by_key = {entry.notification.key: entry for entry in duplicates}
    query = select(_table.seq, _table.key, _table.payload, _table.envelope).where(
        _table.key.in_(by_key), _table.payload.like(_WAS_REPAIRED), _table.erased_at.is_(None)
    )
    for row in connection.execute(query).all():
        entry = by_key[row.key]
        payload = to_json(entry.notification)
        content = entry.envelope or payload.encode()
        if payload != row.payload and content != row.envelope and not _is_noted(connection, row.seq, content):
            connection.execute(insert(attempt), _line(row.seq, entry, content))


def note_all(connection: Connection, batches: Sequence[Sequence[Entry]]) -> list[None]:
    """Note the duplicates of several batches, as :func:`note_copies` does."""
    note_copies(connection, [entry for batch in batches for entry in batch])
    return [None] * len(batches)


def _is_noted(connection: Connection, seq: int, content: bytes) -> bool:
    lines = select(attempt.c.id).where(
        attempt.c.seq == seq, attempt.c.step == Step.PUSH.value, attempt.c.envelope == content
    )
    return connection.scalar(lines.limit(1)) is not None


def _line(seq: int, entry: Entry, content: bytes) -> dict[str, Any]:
    return {
        "seq": seq,
        "step": Step.PUSH.value,
        "started_at": entry.received_at,
        "ended_at": entry.received_at,
        "outcome": OUTCOME,
        "owner": entry.source.value,
        "envelope": content,
    }


def recorded_before(connection: Connection, entries: Sequence[Entry]) -> list[str]:
    """Return the keys of those entries that an earlier release recorded under a key of their values.

    Only a request that is byte for byte the one that was kept counts as recorded.
    """
    digested = [entry for entry in entries if entry.notification.digest and entry.envelope]
    if not digested:
        return []
    by_former = {replace(entry.notification, digest="").key: entry for entry in digested}
    query = select(_table.key, _table.envelope).where(_table.key.in_(by_former), _table.envelope.is_not(None))
    return [
        by_former[row.key].notification.key
        for row in connection.execute(query)
        if bytes(row.envelope) == by_former[row.key].envelope
    ]
