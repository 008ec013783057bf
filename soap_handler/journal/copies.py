"""Copies of what is in the journal already: duplicates and what they bring, and keys of an earlier release.

None of it concerns a usual push: insert.py asks only about duplicates, and about requests that had to be repaired.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, insert, select, update

from soap_handler.journal.records import Step
from soap_handler.journal.schema import attempt, notification
from soap_handler.notifications import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from soap_handler.journal.records import Entry

OUTCOME: Final = "duplicate"
"""How the history calls another push."""
LINES_KEPT: Final = 20
"""Duplicates of one notification that have a line each; those after them are counted in the last of these lines."""
_WAS_REPAIRED: Final = ',"repaired":["'
"""In a payload that has marks. In a text the quotes would be escaped, so nothing else looks like this."""

_table = notification.c
_BARE: Final = and_(attempt.c.step == Step.PUSH.value, attempt.c.envelope.is_(None))
"""The condition "is the line of a duplicate whose content is not kept"."""


def note_copies(connection: Connection, duplicates: Sequence[Entry]) -> None:
    """Note each duplicate in the history of its first copy: when it came, from where, and what is new in it.

    The handler is not called again: both are one message. The content is kept where the first copy had to be repaired
    and this one says something else; each content once. A notification that is pushed for ever has few lines all the
    same: see :data:`LINES_KEPT`.
    """
    by_key: dict[str, list[Entry]] = {}
    for entry in duplicates:
        by_key.setdefault(entry.notification.key, []).append(entry)
    query = (
        select(_table.seq, _table.key, _table.payload, _table.envelope)
        .where(_table.key.in_(by_key), _table.erased_at.is_(None))
        .order_by(_table.seq)
        .with_for_update(read=True, key_share=True)  # so that none is purged before its line refers to it
    )
    bare = {row.seq: _without_new_content(connection, row, by_key[row.key]) for row in connection.execute(query).all()}
    present = select(attempt.c.seq, func.count()).where(attempt.c.seq.in_(bare), _BARE).group_by(attempt.c.seq)
    counts: dict[int, int] = {seq: count for seq, count in connection.execute(present)}  # noqa: C416 - a row is no pair to mypy
    lines: list[dict[str, Any]] = []
    beyond: dict[int, list[Entry]] = {}
    for seq, entries in bare.items():
        free = max(0, LINES_KEPT - counts.get(seq, 0))
        lines += [_line(seq, entry) for entry in entries[:free]]
        beyond[seq] = entries[free:]
    if lines:
        connection.execute(insert(attempt), lines)
    for seq, entries in beyond.items():
        if entries:
            _count(connection, seq, entries)


def note_all(connection: Connection, batches: Sequence[Sequence[Entry]]) -> list[None]:
    """Note the duplicates of several batches, as :func:`note_copies` does."""
    note_copies(connection, [entry for batch in batches for entry in batch])
    return [None] * len(batches)


def _without_new_content(connection: Connection, row: Row[Any, Any, Any, Any], entries: Sequence[Entry]) -> list[Entry]:
    """Write the line of each duplicate whose content is new and kept; return the other duplicates."""
    if _WAS_REPAIRED not in row.payload:
        return list(entries)
    bare = []
    for entry in entries:
        payload = to_json(entry.notification)
        content = entry.envelope or payload.encode()
        if payload == row.payload or content == row.envelope or _is_noted(connection, row.seq, content):
            bare.append(entry)
        else:
            connection.execute(insert(attempt), {**_line(row.seq, entry), "envelope": content})
    return bare


def _is_noted(connection: Connection, seq: int, content: bytes) -> bool:
    lines = select(attempt.c.id).where(
        attempt.c.seq == seq, attempt.c.step == Step.PUSH.value, attempt.c.envelope == content
    )
    return connection.scalar(lines.limit(1)) is not None


def _line(seq: int, entry: Entry) -> dict[str, Any]:
    return {
        "seq": seq,
        "step": Step.PUSH.value,
        "started_at": entry.received_at,
        "ended_at": entry.received_at,
        "outcome": OUTCOME,
        "owner": entry.source.value,
        "caller": entry.caller,
        "api": entry.api,
    }


def _count(connection: Connection, seq: int, entries: Sequence[Entry]) -> None:
    """Count duplicates in the last line, which ends with the last of them."""
    last = entries[-1]
    line = select(func.max(attempt.c.id)).where(attempt.c.seq == seq, _BARE).scalar_subquery()
    values = {
        "times": attempt.c.times + len(entries),
        "ended_at": last.received_at,
        "owner": last.source.value,
        "caller": last.caller,
        "api": last.api,
    }
    connection.execute(update(attempt).where(attempt.c.id == line).values(values))


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
