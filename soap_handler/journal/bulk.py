"""Statements that treat many rows at once, each with values of its own: in the way that is quickest for each engine."""

from __future__ import annotations

import json
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import JSON, Text, any_, bindparam, cast, column, func, insert, select

from soap_handler.fast.compiled_sql import TOGETHER, Statement, few_lengths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import BindParameter, ColumnElement, Connection, FromClause, Select, Table

    from soap_handler.fast.compiled_sql import Values

ROWS: Final = "rows"
"""The parameter that is all rows of a :func:`given` table."""

_NOTHING: Final[Values] = MappingProxyType({})


class SeveralRows:
    """A statement that treats several rows at once, each with values of its own. For an UPDATE; :class:`Insert` is one.

    On SQLite it is written anew for 1, 2, 4 … 16 rows; of other numbers, the last row is there more than once.
    """

    def __init__(
        self, columns: Mapping[str, Any], write: Callable[[int], Any], write_given: Callable[[FromClause], Any]
    ) -> None:
        """``columns`` are the types of a row's values by name.

        ``write`` returns the statement for so many rows, whose parameters come from :func:`parameters`;
        ``write_given``, that for PostgreSQL, of a table of the rows (:func:`given`).
        """
        self._write = write
        self._written: dict[int, Statement] = {}
        self._given = Statement(write_given(given(columns)))

    def run(self, connection: Connection, rows: Sequence[Values], shared: Values = _NOTHING) -> None:
        """Execute it for these rows; ``shared`` are the values that are the same for all."""
        if connection.dialect.name == "postgresql":
            _run_given(self._given, connection, rows, shared)
            return
        for begin in range(0, len(rows), TOGETHER):
            some = few_lengths(rows[begin : begin + TOGETHER])
            statement = self._written.get(len(some))
            if statement is None:
                statement = self._written[len(some)] = Statement(self._write(len(some)))
            values = {_numbered(name, place): value for place, row in enumerate(some) for name, value in row.items()}
            statement.run(connection, [{**values, **shared}])


class Insert:
    """An INSERT of any number of rows."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        """``columns`` are those that it fills."""
        rows = given({name: table.c[name].type for name in columns})
        self._given = Statement(insert(table).from_select(columns, select(*rows.c), include_defaults=False))
        self._statement = Statement(insert(table), columns)

    def run(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Insert these rows."""
        if connection.dialect.name == "postgresql":
            _run_given(self._given, connection, rows)
        else:
            self._statement.run(connection, rows)


def given(columns: Mapping[str, Any]) -> FromClause:
    """Return the table of the rows that PostgreSQL is given as one parameter, :data:`ROWS`, as JSON.

    Its driver looks at each parameter, and reads a statement anew that has many; and the server plans such a one anew.
    """
    rows = cast(bindparam(ROWS, type_=Text()), JSON)
    table = func.json_to_recordset(rows).table_valued(*(column(name, kind) for name, kind in columns.items()))
    return table.render_derived(with_types=True)


def one_of(number: ColumnElement[int], several: Select[Any]) -> ColumnElement[bool]:
    """Return the condition that a number is one of several: for PostgreSQL, which then looks each of them up.

    Joined with them, it may read all of the table instead: it keeps the plan that it made while the table was small.
    """
    return number == any_(func.array(several.scalar_subquery()))


def _run_given(statement: Statement, connection: Connection, rows: Sequence[Values], shared: Values = _NOTHING) -> None:
    if rows:
        statement.run(connection, [{ROWS: json.dumps(rows), **shared}])


def parameters(name: str, count: int, kind: Any) -> list[BindParameter[Any]]:  # noqa: ANN401 - any type of SQLAlchemy's
    """Return the parameter of this name for each of ``count`` rows, of a type of SQLAlchemy's."""
    return [bindparam(_numbered(name, place), type_=kind) for place in range(count)]


@cache
def _numbered(name: str, place: int) -> str:
    return f"{name}_{place}"
