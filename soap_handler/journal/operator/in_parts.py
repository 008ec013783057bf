"""Orders in parts: what a person orders for a selection is looked for by reading, and carried out some rows at a time.

To look for a phone number or the text of an error is a pass over a table, which may take seconds. On SQLite it would
hold the writer's lock meanwhile, and no push would be stored. So only rows that were found are locked. The trade-off:
of these, what a worker has moved on meanwhile is told by its state alone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from soap_handler.journal.schema import notification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    Read = Callable[[Callable[[Connection], Sequence[int]]], Sequence[int]]

ROWS_PER_STEP: Final = 500
"""Rows that are changed in one transaction: pushes wait for it."""
ROWS_PER_SEARCH: Final = 10_000
"""Rows that one query looks for."""
_seq = notification.c.seq


def found_in_parts(read: Read, conditions: Sequence[ColumnElement[bool]]) -> Iterator[Sequence[int]]:
    """Yield the numbers of the rows that meet some conditions, in their order, as many at once as one commit may take.

    What is stored only after the beginning stays out of it. ``read`` carries out a query.
    """
    (last,) = read(lambda connection: [connection.scalar(select(func.max(_seq))) or 0])
    after = 0
    while True:
        query = select(_seq).where(*conditions, _seq > after, _seq <= last).order_by(_seq).limit(ROWS_PER_SEARCH)
        found = read(partial(_numbers, query=query))
        for begin in range(0, len(found), ROWS_PER_STEP):
            yield found[begin : begin + ROWS_PER_STEP]
        if len(found) < ROWS_PER_SEARCH:
            return
        after = found[-1]


def _numbers(connection: Connection, query: Select[Any]) -> Sequence[int]:
    return connection.scalars(query).all()
