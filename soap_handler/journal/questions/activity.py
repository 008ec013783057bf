"""What happens in the journal, as it happens: what is stored, and each attempt that ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import func, select

from soap_handler.journal.records import Step
from soap_handler.journal.schema import attempt, notification

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select

_LATE_ROWS: Final = 500
"""Numbers below the last one that are looked at again: on PostgreSQL a lower number may be committed later."""
_MOST: Final = 10_000  # of one look


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to a notification."""

    at: datetime
    key: str
    originator: str | None
    step: Step | None
    """``None``: it was stored."""
    outcome: str
    error: str | None


class Place(NamedTuple):
    """A change that was told: a row of the notifications, or of the attempts."""

    is_attempt: bool
    number: int


def latest(connection: Connection, most: int) -> tuple[list[Change], set[Place]]:
    """Return the last changes, oldest first, and the places that need not be told again."""
    ends = [connection.scalar(select(func.max(number))) or 0 for number in (notification.c.seq, attempt.c.id)]
    found = _changes(connection, (ends[0] - max(most, _LATE_ROWS), ends[1] - max(most, _LATE_ROWS)))
    told = [change for _, change in found]
    return told[len(told) - most :] if most < len(told) else told, {place for place, _ in found} | _ends(ends)


def news(connection: Connection, told: set[Place]) -> list[Change]:
    """Return the changes that were not told, oldest first, and note them in ``told``."""
    last = [max((place.number for place in told if place.is_attempt is each), default=0) for each in (False, True)]
    found = _changes(connection, (last[0] - _LATE_ROWS, last[1] - _LATE_ROWS))
    new = [(place, change) for place, change in found if place not in told]
    told.update(place for place, _ in new)
    for place in [place for place in told if place.number < last[place.is_attempt] - _LATE_ROWS]:
        told.discard(place)
    return [change for _, change in new]


def _ends(ends: list[int]) -> set[Place]:
    return {Place(is_attempt=is_attempt, number=number) for is_attempt, number in zip((False, True), ends, strict=True)}


def _behind(query: Select[Any], number: ColumnElement[int], after: int) -> Select[Any]:
    return query.where(number > after).order_by(number).limit(_MOST)


def _changes(connection: Connection, after: tuple[int, int]) -> list[tuple[Place, Change]]:
    table = notification.c
    stored = select(table.seq, table.received_at, table.key, table.originator, table.source)
    arrivals = [
        (Place(is_attempt=False, number=seq), Change(at, key, originator, None, source, None))
        for seq, at, key, originator, source in connection.execute(_behind(stored, table.seq, after[0]))
    ]
    tried = select(
        attempt.c.id,
        attempt.c.ended_at,
        table.key,
        table.originator,
        attempt.c.step,
        attempt.c.outcome,
        attempt.c.error,
    ).join(notification, table.seq == attempt.c.seq)
    ended = [
        (Place(is_attempt=True, number=number), Change(at, key, originator, Step(step), outcome, error))
        for number, at, key, originator, step, outcome, error in connection.execute(
            _behind(tried, attempt.c.id, after[1])
        )
    ]
    return sorted([*arrivals, *ended], key=lambda each: each[1].at)
