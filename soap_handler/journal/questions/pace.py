"""The pace of the last minutes: how many were stored, handled and deleted. Read from the ends of the two tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from soap_handler.journal.records import Source, Step
from soap_handler.journal.schema import attempt, notification

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Column, Connection

WINDOW: Final = timedelta(minutes=5)
"""How far back the pace is measured."""
REACH: Final = (1_000, 20_000)
"""Rows to look back over: few where little happens; many, but no more, under load, where they span less time."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How many of one thing there were in a time."""

    count: int
    seconds: float
    """How long a time that was."""

    @property
    def per_minute(self) -> float:
        """How many there were a minute."""
        return self.count * 60 / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace of each part of the way."""

    pushed: Flow
    """Stored when EMS pushed them."""
    recovered: Flow
    """Stored when they were found in an inbox."""
    handled: Flow
    failed: Flow
    """Attempts at handling that failed, or were lost with their process."""
    deleted: Flow
    delete_failed: Flow


def pace(connection: Connection, now: datetime) -> Pace:
    """Return the pace up to ``now``, by the wall clock."""
    stored, stored_in = _stored(connection, now)
    tried, tried_in = _tried(connection, now)

    def outcomes(step: Step, *names: str) -> Flow:
        return Flow(sum(tried.get((step.value, name), 0) for name in names), tried_in)

    return Pace(
        pushed=Flow(stored.get(Source.PUSH.value, 0), stored_in),
        recovered=Flow(stored.get(Source.INBOX.value, 0), stored_in),
        handled=outcomes(Step.HANDLE, "ok"),
        failed=outcomes(Step.HANDLE, "failed", "lost", "dead"),
        deleted=outcomes(Step.DELETE, "ok"),
        delete_failed=outcomes(Step.DELETE, "failed", "lost"),
    )


def _stored(connection: Connection, now: datetime) -> tuple[dict[str, int], float]:
    table = notification.c
    after, since = reach(connection, table.seq, table.received_at, now - WINDOW)
    conditions = (table.seq > after, table.received_at >= since)
    rows = connection.execute(select(table.source, func.count()).where(*conditions).group_by(table.source))
    return {source: count for source, count in rows}, (now - since).total_seconds()  # noqa: C416 - a row is no pair to mypy


def _tried(connection: Connection, now: datetime) -> tuple[dict[tuple[str, str], int], float]:
    table = attempt.c
    after, since = reach(connection, table.id, table.ended_at, now - WINDOW)
    groups = (table.step, table.outcome)
    conditions = (table.id > after, table.ended_at >= since)
    rows = connection.execute(select(*groups, func.count()).where(*conditions).group_by(*groups))
    return {(step, outcome): count for step, outcome, count in rows}, (now - since).total_seconds()


def reach(
    connection: Connection, number: Column[Any], time: Column[Any], since: datetime, steps: Sequence[int] = ()
) -> tuple[int, datetime]:
    """Return behind which row to look, and since when that tells everything: later than asked for where very many came.

    Rows are numbered in the order of storing, so the last ones are the latest.
    """
    steps = steps or REACH
    last: int = connection.scalar(select(func.max(number))) or 0
    begins = since
    for rows in steps:
        first = connection.scalar(select(time).where(number > last - rows).order_by(number).limit(1))
        if last <= rows or first is None or first <= since:
            return last - rows, since
        begins = first
    return last - steps[-1], begins
