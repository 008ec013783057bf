"""The audit trail: who sent which notifications round again, gave them up, released or erased them, and when.

A row is committed before the action and completed after it. So no action goes without a row, and one that broke off in
the middle shows as a row without an end. Phone numbers are masked: an erasure finds nothing here.
"""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from soap_handler.errors import JournalUnavailableError, SoapHandlerError
from soap_handler.journal.operator.audit_rows import Beginning, Ending, begin, delete_before, end
from soap_handler.journal.schema import audit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from soap_handler.journal.journal import Journal
    from soap_handler.journal.records import Selection

EVERYTHING: Final = "everything"
"""The subject of an action without a filter."""
_DIGITS: Final = re.compile(r"[\d+](?:[\s\-./()]*\d){4,}")
_MAY_HOLD_NUMBERS: Final = ("number", "originator", "error")


@dataclass(slots=True)
class Note:
    """What an action says of itself once it is carried out."""

    notifications: int | None = None
    """How many there were."""


@dataclass(frozen=True, slots=True)
class Audited:
    """One row of the trail."""

    number: int
    begun_at: datetime
    ended_at: datetime | None
    """``None`` while it goes on, and for ever when its process died."""
    who: str
    """The operator's name in the console, or ``cli:`` with the user of the operating system and the host."""
    caller: str | None
    """The address from which the order came over the network."""
    action: str
    subject: str
    notifications: int | None
    error: str | None
    """Why it ended early. What was done until then is done."""


@contextmanager
def noted(journal: Journal, who: str, action: str, subject: str, caller: str | None = None) -> Iterator[Note]:
    """Note an action in the trail: begun before the block, ended after it with what the block says of itself.

    Raises:
        JournalUnavailableError: the beginning was not committed; the block is not entered.
    """
    note = Note()
    beginning = Beginning(journal.now(), who, caller, action, subject)
    number = journal.wait(journal.committer.submit(begin, beginning))
    error = "it was broken off"
    try:
        yield note
        error = ""
    except SoapHandlerError as raised:
        error = str(raised)
        raise
    finally:
        ending = Ending(number, journal.now(), note.notifications, error or None)
        with suppress(JournalUnavailableError):  # the action is carried out; its row stays without an end
            journal.wait(journal.committer.submit(end, ending))


def trail(journal: Journal, limit: int, before: int | None = None) -> list[Audited]:
    """Return the latest rows, latest first; with ``before``, of those that are older than this number."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    rows = journal.read(lambda connection: connection.execute(query).all())
    return [Audited(*row) for row in rows]


def forget(journal: Journal, before: datetime) -> int:
    """Delete the rows of what began before an instant; return how many there were."""
    return journal.wait(journal.committer.submit(delete_before, before))


def subject_of(selections: Sequence[Selection]) -> str:
    """Return what selections ask for, as text without phone numbers."""
    parts = [", ".join(_told(each)) for each in selections]
    return "; ".join(part or EVERYTHING for part in parts)


def _told(selection: Selection) -> Iterator[str]:
    for field in fields(selection):
        value = getattr(selection, field.name)
        if value is not None:
            yield f"{field.name}={_masked(field.name, value)}"


def _masked(name: str, value: Any) -> str:  # noqa: ANN401 - of the field's own type
    text = " ".join(str(each) for each in value) if isinstance(value, tuple) else str(value)
    if name not in _MAY_HOLD_NUMBERS:
        return text
    return _DIGITS.sub(lambda found: f"…{found[0][-2:]}", text)
