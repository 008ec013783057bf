"""Search for people: how many there are, keys by their beginning, and the last errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from soap_handler.journal.queries import selected
from soap_handler.journal.schema import attempt, notification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from soap_handler.journal.records import Selection

_table = notification.c


def last_errors(connection: Connection, seqs: Sequence[int]) -> dict[int, str]:
    """Return the last error of those of some notifications that have one."""
    query = select(attempt.c.seq, attempt.c.error).where(attempt.c.seq.in_(seqs), attempt.c.error.is_not(None))
    return dict(connection.execute(query.order_by(attempt.c.id)).all())


def count(connection: Connection, selection: Selection) -> int:
    """Return how many notifications a selection has."""
    return int(connection.scalar(select(func.count()).select_from(notification).where(*selected(selection))) or 0)


def has_account(connection: Connection, name: str) -> bool:
    """Whether the journal has a notification of an account of this name."""
    return connection.scalar(select(_table.seq).where(_table.account == name).limit(1)) is not None


def keys_like(connection: Connection, beginning: str, most: int = 11) -> list[str]:
    """Return the key that this is; or else those that begin so, or whose message id does, whatever the letter case."""
    if connection.scalar(select(_table.key).where(_table.key == beginning)) is not None:
        return [beginning]
    begins = _table.key.istartswith(beginning, autoescape=True)
    has_part = _table.key.icontains(f"/{beginning}", autoescape=True)
    return list(connection.scalars(select(_table.key).where(or_(begins, has_part)).limit(most)))
