"""The course of the last minutes: how many were stored, handled and deleted in each of equal intervals, for a chart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, func, literal, select, type_coerce

from soap_handler.journal.execute import to_number
from soap_handler.journal.questions.pace import reach
from soap_handler.journal.records import Step
from soap_handler.journal.schema import attempt, notification

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Column, Connection

INTERVALS: Final = 30
LONGEST: Final = timedelta(minutes=30)
"""How far back the intervals go together, where no more rows than these were written meanwhile."""
_ROWS: Final = (2_000, 10_000, 40_000)
_INTERVALS_TO: Final = tuple(timedelta(seconds=each) for each in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60))
_LOST: Final = ("failed", "lost", "dead")


@dataclass(frozen=True, slots=True)
class Intervals:
    """Counts of equal intervals, the oldest first; the last one ends now."""

    length: timedelta
    """Of one interval: shorter under load, when the last rows span less time."""
    stored: tuple[int, ...]
    handled: tuple[int, ...]
    failed: tuple[int, ...]
    """Attempts at handling that failed, or were lost with their process."""
    deleted: tuple[int, ...]


def intervals(connection: Connection, now: datetime) -> Intervals:
    """Count what happened in the intervals before ``now``, by the wall clock."""
    ends: tuple[tuple[Column[Any], Column[Any]], ...] = (
        (notification.c.seq, notification.c.received_at),
        (attempt.c.id, attempt.c.ended_at),
    )
    reached = [reach(connection, number, time, now - LONGEST, _ROWS) for number, time in ends]
    span = now - max(since for _, since in reached)
    length = max((each for each in _INTERVALS_TO if each * INTERVALS <= span), default=_INTERVALS_TO[0])
    place = _place(notification.c.received_at, now, length)
    recent = (notification.c.seq > reached[0][0], place.between(0, INTERVALS - 1))
    stored = connection.execute(select(place, func.count()).where(*recent).group_by(place))
    place = _place(attempt.c.ended_at, now, length)
    groups = (place, attempt.c.step, attempt.c.outcome)
    recent = (attempt.c.id > reached[1][0], place.between(0, INTERVALS - 1))
    tried = connection.execute(select(*groups, func.count()).where(*recent).group_by(*groups)).all()

    def of(step: Step, *outcomes: str) -> tuple[int, ...]:
        return _columns((at, count) for at, done, outcome, count in tried if done == step.value and outcome in outcomes)

    return Intervals(
        length,
        stored=_columns((at, count) for at, count in stored),
        handled=of(Step.HANDLE, "ok"),
        failed=of(Step.HANDLE, *_LOST),
        deleted=of(Step.DELETE, "ok"),
    )


def _place(time: Column[Any], now: datetime, length: timedelta) -> Any:  # noqa: ANN401 - an expression of whole numbers
    """Return how many whole intervals before now a time is."""
    return (literal(to_number(now), BigInteger) - type_coerce(time, BigInteger)) // (
        length // timedelta(microseconds=1)
    )


def _columns(counts: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    found = [0] * INTERVALS
    for at, count in counts:
        found[INTERVALS - 1 - int(at)] += count
    return tuple(found)
