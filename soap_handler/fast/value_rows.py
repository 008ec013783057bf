"""Rows as the VALUES of one statement: what SQLite executes for some rows at once.

The driver releases the GIL for each statement that it runs. With a statement for each row, the journal's thread and
those that read requests or deliver would take turns row by row, which costs more than the change itself. The price: two
statements exist twice. Tests hold both forms to the same results.
"""

from __future__ import annotations

import re
import sqlite3
from datetime import datetime
from functools import cache, lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from soap_handler.fast.json_rows import FIRST_BLOCKED, SET_RESULT
from soap_handler.journal import order, settle
from soap_handler.journal.execute import to_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Executable

    from soap_handler.journal.execute import Values

    Arrange: TypeAlias = Callable[[Values], tuple[Any, ...]]

ROWS_PER_STATEMENT: Final = 16
"""Each number of rows is a statement of its own, which the driver keeps; with 32, 1 MB more."""

_SETTLE: Final = f"UPDATE OR ROLLBACK notification {SET_RESULT} WHERE notification.seq = given._seq"
_UNBLOCK: Final = f"""
    UPDATE OR ROLLBACK notification SET due_at = (SELECT max(_at) FROM given), parked_at = NULL
    WHERE parked_at IS NOT NULL AND seq IN ({FIRST_BLOCKED})
"""  # noqa: S608 - of constants

_HAS_UPDATE_FROM: Final = sqlite3.sqlite_version_info >= (3, 33)
"""Whether SQLite can take what an UPDATE writes from other rows; an older one executes row by row."""

_VALUES: Final = re.compile(r"VALUES (\([^()]+\))")


@cache
def update_form(statement: Executable) -> tuple[str, Arrange] | None:
    """Return the form of an UPDATE that takes several rows, and what makes of a row its values; if there is one."""
    if not _HAS_UPDATE_FROM:
        return None
    forms: dict[Executable, tuple[str, Arrange]] = {
        settle.SETTLE: _given(_SETTLE, "_seq", "_state", "_due_at", "_handled_at", "_done_at", "_attempts"),
        order.UNBLOCK: _given(_UNBLOCK, "_account", "_originator", "_at"),
    }
    return forms.get(statement)


def _given(update: str, *names: str) -> tuple[str, Arrange]:
    """Return an UPDATE with a row of values of these names before it, and what takes the values out of a row."""
    values_of = itemgetter(*names)
    text = f"WITH given ({', '.join(names)}) AS (VALUES ({', '.join('?' for _ in names)})) {update}"
    return text, lambda row: tuple(to_number(each) if type(each) is datetime else each for each in values_of(row))


def statements(text: str, rows: Sequence[Sequence[Any]]) -> list[tuple[str, list[Any]]]:
    """Return the statements that together take all rows, and the values of each; ``text`` is the one of a row."""
    parts = [rows[begin : begin + ROWS_PER_STATEMENT] for begin in range(0, len(rows), ROWS_PER_STATEMENT)]
    return [(_repeated(text, len(part)), [value for row in part for value in row]) for part in parts]


@lru_cache(maxsize=8 * ROWS_PER_STATEMENT)
def _repeated(text: str, count: int) -> str:
    """Return a statement of one row as one of several."""
    return _VALUES.sub(lambda found: "VALUES " + ", ".join([found[1]] * count), text, count=1)
