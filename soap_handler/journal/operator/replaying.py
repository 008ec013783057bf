"""Replay: what is done goes round again, by hand. What has left the EMS inbox is not deleted there once more.

Never replayed: a test, which no handler is given, and what was erased, of which there is nothing to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import case, func, insert, null, select, update

from soap_handler.journal.execute import queue_now
from soap_handler.journal.operator.in_parts import found_in_parts
from soap_handler.journal.queries import selected
from soap_handler.journal.records import Selection, Source, State, Step
from soap_handler.journal.schema import NO_LEASE, attempt, in_state, notification

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from soap_handler.journal.journal import Journal

OUTCOME: Final = "replayed"
"""The outcome of the line in the history."""
_OWNER: Final = "journal replay"  # no process: it is done by hand

_table = notification.c
_HAS_LEFT: Final = _table.delete_attempts > 0  # of what is done: EMS confirmed that delete


class Replayable(NamedTuple):
    """How much a replay would send round, or has sent round."""

    notifications: int = 0
    have_left: int = 0
    """Of these, messages that have left the EMS inbox and are not deleted there again."""


class _Part(NamedTuple):
    """A request to send these rows round again."""

    seqs: Sequence[int]
    now: datetime


def replay(journal: Journal, selection: Selection) -> Replayable:
    """Send what is done of a selection round again, with a fresh count of attempts; return how much there was.

    It is committed in parts. What is done only after the beginning stays out of it.

    Raises:
        JournalUnavailableError: the journal is out of reach. What was sent round until then goes round.
    """
    found, have_left = 0, 0
    for seqs in found_in_parts(journal.read, _done(selection)):
        part = journal.committer.submit(_send_round, _Part(seqs, journal.now())).result()
        found, have_left = found + part.notifications, have_left + part.have_left
    return Replayable(found, have_left)


def count_replayable(journal: Journal, selection: Selection) -> Replayable:
    """Return how much :func:`replay` would send round; nothing is written."""
    query = select(func.count(), func.coalesce(func.sum(case((_HAS_LEFT, 1), else_=0)), 0)).where(*_done(selection))
    row = journal.read(lambda connection: connection.execute(query).one())
    return Replayable(int(row[0]), int(row[1]))


def _done(selection: Selection) -> list[ColumnElement[bool]]:
    is_real = _table.source != Source.TEST.value
    return [in_state(State.DONE), is_real, _table.erased_at.is_(None), *selected(selection)]


def _send_round(connection: Connection, parts: Sequence[_Part]) -> list[Replayable]:
    """Send the rows of each part round that are still done; return how many there were."""
    return [_send_part(connection, part) for part in parts]


def _send_part(connection: Connection, part: _Part) -> Replayable:
    wanted = select(_table.seq, _HAS_LEFT).where(_table.seq.in_(part.seqs), *_done(Selection()))
    query = wanted.order_by(_table.seq).with_for_update()
    rows = [(row[0], bool(row[1])) for row in connection.execute(query)]
    if rows:
        values: dict[str, Any] = {
            "state": State.RECEIVED.value,
            "due_at": queue_now(connection),
            "leased_at": NO_LEASE,
            "attempts": 0,
            "handled_at": null(),
            "done_at": null(),
        }
        connection.execute(update(notification).where(_table.seq.in_([seq for seq, _ in rows])).values(**values))
        connection.execute(insert(attempt), [_line(seq, part.now) for seq, _ in rows])
    return Replayable(len(rows), sum(has_left for _, has_left in rows))


def _line(seq: int, now: datetime) -> dict[str, Any]:
    step = Step.REPLAY.value
    return {"seq": seq, "step": step, "started_at": now, "ended_at": now, "outcome": OUTCOME, "owner": _OWNER}
