"""Search for people: how many there are, keys by their beginning, and the last errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, or_, select

from soap_handler.journal.queries import selected
from soap_handler.journal.records import State
from soap_handler.journal.schema import attempt, in_state, notification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from soap_handler.journal.records import Selection

_ROWS_OF_ONE_PASS: Final = 10_000
_table = notification.c


def last_errors(connection: Connection, seqs: Sequence[int]) -> dict[int, str]:
    """Return the last error of those of some notifications that have one."""
    query = select(attempt.c.seq, attempt.c.error).where(attempt.c.seq.in_(seqs), attempt.c.error.is_not(None))
    return dict(connection.execute(query.order_by(attempt.c.id)).all())


def count(connection: Connection, selection: Selection) -> int:
    """Return how many notifications a selection has."""
    return int(connection.scalar(select(func.count()).select_from(notification).where(*selected(selection))) or 0)


def count_dead(connection: Connection, selection: Selection) -> int:
    """Return how many of a selection are dead: so many a retry would send round again."""
    query = select(func.count()).select_from(notification).where(in_state(State.DEAD), *selected(selection))
    return int(connection.scalar(query) or 0)


def found(connection: Connection, selection: Selection, most: int) -> tuple[list[int], int]:
    """Return the rows of a selection by number, the latest first and ``most`` at most, and how many it has in all.

    Where a selection has few, one pass tells both.
    """
    reach = max(most, _ROWS_OF_ONE_PASS)
    query = select(_table.seq).where(*selected(selection)).order_by(_table.seq.desc()).limit(reach)
    seqs = list(connection.scalars(query))
    return seqs[:most], len(seqs) if len(seqs) < reach else count(connection, selection)


def has_account(connection: Connection, name: str) -> bool:
    """Whether the journal has a notification of an account of this name."""
    return connection.scalar(select(_table.seq).where(_table.account == name).limit(1)) is not None


def keys_like(connection: Connection, beginning: str, most: int = 11) -> list[str]:
    """Return the key that this is; or else those that begin so, or whose message id does, whatever the letter case."""
    if connection.scalar(select(_table.key).where(_table.key == beginning)) is not None:
        return [beginning]
    # No ILIKE: PostgreSQL takes ten times as long for it. What comes of EMS is in small letters in a key.
    conditions = [_table.key.startswith(beginning, autoescape=True)]
    conditions += [_table.key.contains(f"/{text}", autoescape=True) for text in {beginning, beginning.lower()}]
    return list(connection.scalars(select(_table.key).where(or_(*conditions)).limit(most)))
