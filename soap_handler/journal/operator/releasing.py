"""Release: what waits for a later time is due at once, by hand; what waits for another of its originator is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, update

from soap_handler.journal.execute import queue_now
from soap_handler.journal.operator.in_parts import found_in_parts
from soap_handler.journal.queries import selected
from soap_handler.journal.queue_clock import waits
from soap_handler.journal.records import Selection
from soap_handler.journal.schema import notification

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from soap_handler.journal.operator.in_parts import Read

_table: Final = notification.c


def held_back_in_parts(read: Read, selection: Selection, now: datetime) -> Iterator[Sequence[int]]:
    """Yield the numbers of what waits for a later time and is not being worked on, as many as one commit may take."""
    return found_in_parts(read, _held_back(selection, now))


def release_due(connection: Connection, parts: Sequence[Sequence[int]]) -> list[int]:
    """Make due at once those of some rows that still wait for a later time; return how many of each part."""
    now = queue_now(connection)
    return [
        connection.execute(
            update(notification).where(_table.seq.in_(seqs), *_held_back(Selection(), now)).values(due_at=now)
        ).rowcount
        for seqs in parts
    ]


def count_held_back(connection: Connection, selection: Selection, now: datetime) -> int:
    """Return how much is held back."""
    query = select(func.count()).select_from(notification).where(*_held_back(selection, now))
    return int(connection.scalar(query) or 0)


def _held_back(selection: Selection, now: datetime) -> list[ColumnElement[bool]]:
    # A blocked row is not held back by a time: it waits for another of its originator.
    later = [waits(), _table.due_at > now, _table.owner.is_(None), _table.parked_at.is_(None)]
    return [*later, *selected(selection)]
