"""The verbs that write the audit trail. What is noted, and when, is in ``audit``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, update

from soap_handler.journal.insert import storable
from soap_handler.journal.schema import audit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

_SUBJECT_LENGTH: Final = 2_000  # characters
_ERROR_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class Beginning:
    """An action that begins."""

    at: datetime
    who: str
    caller: str | None
    action: str
    subject: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an action, by the number of its row."""

    number: int
    at: datetime
    notifications: int | None
    error: str | None


def begin(connection: Connection, beginnings: Sequence[Beginning]) -> list[int]:
    """Insert a row for each beginning; return their numbers."""
    return [_insert(connection, each) for each in beginnings]


def _insert(connection: Connection, beginning: Beginning) -> int:
    values = {
        "begun_at": beginning.at,
        "who": storable(beginning.who),
        "caller": beginning.caller,
        "action": beginning.action,
        "subject": storable(beginning.subject[:_SUBJECT_LENGTH]),
    }
    (number,) = connection.execute(insert(audit).values(values)).inserted_primary_key or (0,)
    return int(number)


def end(connection: Connection, endings: Sequence[Ending]) -> list[None]:
    """Complete the rows of actions that ended."""
    for each in endings:
        error = None if each.error is None else storable(each.error[:_ERROR_LENGTH])
        values = {"ended_at": each.at, "notifications": each.notifications, "error": error}
        connection.execute(update(audit).where(audit.c.id == each.number).values(values))
    return [None] * len(endings)


def delete_before(connection: Connection, cuts: Sequence[datetime]) -> list[int]:
    """Delete the rows of what began before each instant; return how many there were."""
    return [connection.execute(delete(audit).where(audit.c.begun_at < before)).rowcount for before in cuts]
