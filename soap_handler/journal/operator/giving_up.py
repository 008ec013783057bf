"""Giving up: what waits for its handler becomes dead, by hand and with a reason. ``retry`` sends it round again.

What a process works on is left out. So is what was handled already: it has only to leave the inbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import func, insert, null, or_, select, update

from soap_handler.journal import order
from soap_handler.journal.execute import queue_now
from soap_handler.journal.insert import storable
from soap_handler.journal.operator.in_parts import found_in_parts
from soap_handler.journal.queries import selected
from soap_handler.journal.records import Selection, State, Step
from soap_handler.journal.schema import NO_LEASE, attempt, in_state, notification

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from soap_handler.journal.journal import Journal

OUTCOME: Final = "given up"
"""The outcome of the line in the history."""
REASON_LENGTH: Final = 500
"""Characters of a reason that the journal keeps."""
_OWNER: Final = "journal give-up"  # no process: it is done by hand

_table = notification.c


class _Part(NamedTuple):
    """A request to give up these rows."""

    seqs: Sequence[int]
    reason: str
    now: datetime
    """By the wall clock, for the history."""


def give_up(journal: Journal, selection: Selection, reason: str) -> int:
    """Make dead what waits for its handler, of a selection; return how much there was.

    It is committed in parts. What is stored only after the beginning stays out of it.

    Raises:
        JournalUnavailableError: the journal is out of reach. What was given up until then is dead.
    """
    parts = found_in_parts(journal.read, _idle(selection, journal.queue_now()))
    return sum(journal.committer.submit(_give_up, _Part(seqs, reason, journal.now())).result() for seqs in parts)


def count_to_give_up(journal: Journal, selection: Selection) -> int:
    """Return how much :func:`give_up` would make dead; nothing is written."""
    conditions = _idle(selection, journal.queue_now())
    query = select(func.count()).select_from(notification).where(*conditions)
    return journal.read(lambda connection: int(connection.scalar(query) or 0))


def _idle(selection: Selection, now: datetime) -> list[ColumnElement[bool]]:
    """Return the conditions of what waits and is in no process's hands; a lease that ran out holds nothing back."""
    return [in_state(State.RECEIVED), or_(_table.owner.is_(None), _table.due_at <= now), *selected(selection)]


def _give_up(connection: Connection, parts: Sequence[_Part]) -> list[int]:
    """Give up the rows of each part that still wait; return how many there were."""
    return [_give_up_part(connection, part) for part in parts]


def _give_up_part(connection: Connection, part: _Part) -> int:
    now = queue_now(connection)
    wanted = select(_table.seq, _table.account, _table.originator).where(_table.seq.in_(part.seqs))
    query = wanted.where(*_idle(Selection(), now)).order_by(_table.seq).with_for_update()
    rows = connection.execute(query).all()
    seqs = [seq for seq, _, _ in rows]
    if seqs:
        values: dict[str, Any] = {"state": State.DEAD.value, "due_at": null(), "owner": null(), "parked_at": null()}
        where = _table.seq.in_(seqs)
        connection.execute(update(notification).where(where).values(leased_at=NO_LEASE, **values))
        connection.execute(insert(attempt), [_line(seq, part) for seq in seqs])
        order.unblock_next(connection, _freed(rows, now))
    return len(seqs)


def _freed(rows: Sequence[tuple[int, str, str | None]], now: datetime) -> list[order.Freed]:
    return [order.Freed(account, originator, now) for _, account, originator in rows if originator is not None]


def _line(seq: int, part: _Part) -> dict[str, Any]:
    return {
        "seq": seq,
        "step": Step.GIVE_UP.value,
        "started_at": part.now,
        "ended_at": part.now,
        "outcome": OUTCOME,
        "error": storable(part.reason[:REASON_LENGTH]),
        "owner": _OWNER,
    }
