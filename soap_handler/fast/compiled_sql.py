"""Compiled SQL: the text of a statement is compiled once, and its values go to the driver past SQLAlchemy.

SQLAlchemy does much for every statement and looks at every value of every row; where hundreds of rows go through in a
moment, that costs more than the database itself. The price: only statements that are constants of a module may come
here, and SQLAlchemy's events do not hear of them.

Without it: 0.50 of the rate from push to delete with 8 connections, 0.70 with 32.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from sqlalchemy import BindParameter, Executable, Insert, Select
from sqlalchemy.exc import DBAPIError

from soap_handler.fast import value_rows
from soap_handler.fast.json_rows import as_json, json_form
from soap_handler.journal.databases.postgresql import execute_many
from soap_handler.journal.execute import Executor, Instant, from_number, to_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Dialect
    from sqlalchemy.types import TypeEngine

    from soap_handler.journal.execute import Values

    Convert: TypeAlias = Callable[[Any], Any]

T = TypeVar("T")

STATEMENTS_KEPT: Final = 256

_CHANGES: Final = re.compile(r"(?:INSERT|UPDATE)\b")
_IN_LIST: Final = re.compile(r"IN \(__\[POSTCOMPILE_(\w+)\]\)")


class CompiledExecutor(Executor):
    """The quick executor. It gives and takes the same values as the plain one."""

    def execute(self, connection: Connection, statement: Executable, rows: Sequence[Values]) -> int:
        """Execute a statement once for each row of values; return how many rows of the database changed."""
        compiled = _compiled(statement, connection.dialect, tuple(rows[0]))
        if connection.dialect.name == "sqlite":
            return compiled.run(connection, rows) if len(rows) == 1 else _run_on_sqlite(connection, compiled, rows)
        if text := json_form(statement):
            return _driven(connection, lambda cursor: int(cursor.execute(text, {"rows": as_json(rows)}).rowcount))
        return compiled.run(connection, rows)

    def query(self, connection: Connection, statement: Executable, values: Values | Sequence[Values]) -> Sequence[Any]:
        """Execute a statement and return its rows."""
        if isinstance(values, list):  # an INSERT, which is a query on PostgreSQL alone
            text, rows = json_form(statement), {"rows": as_json(values)}
            return _driven(connection, lambda cursor: list(cursor.execute(text, rows).fetchall()))
        return _compiled(statement, connection.dialect, tuple(values)).rows(connection, values)  # type: ignore[arg-type] # a Mapping


COMPILED: Final = CompiledExecutor()
"""The executor for ``Journal(execute=...)``."""


@lru_cache(maxsize=STATEMENTS_KEPT)
def _compiled(statement: Executable, dialect: Dialect, names: tuple[str, ...]) -> _Compiled:
    return _Compiled(statement, dialect, names)


class _Compiled:
    """The text of one statement for one dialect, and how its values are arranged and its results read."""

    def __init__(self, statement: Any, dialect: Dialect, names: tuple[str, ...]) -> None:  # noqa: ANN401 - any statement
        """``names`` are those of the values that each execution will give."""
        self.statement = statement
        compiled = statement.compile(dialect=dialect, column_keys=names)
        self._list = next(iter(_IN_LIST.findall(compiled.string)), "")  # the one value that is a list of numbers
        self._constants = {name: value for name, value in compiled.params.items() if name not in names}
        self._converted = _converted(compiled.bind_names, dialect)
        self._order = compiled.positiontup
        self._pick = itemgetter(*self._order) if self._order is not None and len(self._order) > 1 else None
        self._text = compiled.string
        self._results = _result_converters(statement, dialect) if isinstance(statement, Select) else []
        if self._order is None:
            self._text = _IN_LIST.sub(r"= ANY (%(\1)s::bigint[])", self._text)
        elif not isinstance(statement, Select):
            self._text = _all_or_nothing(self._text)

    def rows(self, connection: Connection, values: Values) -> list[Sequence[Any]]:
        """Execute a query and return its rows."""
        text, arranged = self._arranged(values)
        rows: list[Sequence[Any]] = _driven(connection, lambda cursor: cursor.execute(text, arranged).fetchall())
        if not self._results:
            return rows
        converted = [list(row) for row in rows]
        for place, convert in self._results:
            for row in converted:
                row[place] = convert(row[place])
        return list(converted)

    def run(self, connection: Connection, rows: Sequence[Values]) -> int:
        """Execute a change for each row."""
        many = [self._arranged(row) for row in rows]
        text = many[0][0]
        return _driven(connection, lambda cursor: _run(cursor, text, [arranged for _, arranged in many]))

    def values(self, rows: Iterable[Values]) -> tuple[str, list[Sequence[Any]]]:
        """Return the text for one row, and the values of each."""
        return self._text, [self._arranged(row)[1] for row in rows]

    def _arranged(self, values: Values) -> tuple[str, Any]:
        """Return the text and the values as the driver takes them."""
        ready = {**self._constants, **values}
        for name, convert in self._converted:
            ready[name] = convert(ready[name])
        if self._order is None:
            return self._text, ready
        if not self._list:
            return self._text, self._pick(ready) if self._pick else tuple(ready[name] for name in self._order)
        numbers = pad_to_power_of_two(ready[self._list])
        text = _IN_LIST.sub(f"IN ({', '.join('?' * len(numbers))})", self._text)
        return text, [each for name in self._order for each in (numbers if name == self._list else (ready[name],))]


def _converted(names: Mapping[BindParameter[Any], str], dialect: Dialect) -> list[tuple[str, Convert]]:
    """Return the parameters that the driver does not take as they are, and what makes of each what it takes."""
    converters = ((name, _to_driver(bind.type, dialect)) for bind, name in names.items())
    return [(name, convert) for name, convert in converters if convert is not None]


def _to_driver(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """Return what converts a value for the driver. The journal's times are converted without their type's two calls."""
    return to_number if isinstance(kind, Instant) else kind.dialect_impl(dialect).bind_processor(dialect)


def _result_converters(statement: Select[Any], dialect: Dialect) -> list[tuple[int, Convert]]:
    """Return the places of a row whose values are not what the driver gives, and what makes of each what it is."""
    types = (column.type for column in statement.selected_columns)
    converters = ((place, _from_driver(kind, dialect)) for place, kind in enumerate(types))
    return [(place, convert) for place, convert in converters if convert is not None]


def _from_driver(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """Return what converts a value that the driver gives; times as above."""
    return from_number if isinstance(kind, Instant) else kind.dialect_impl(dialect).result_processor(dialect, None)


def _driven(connection: Connection, call: Callable[[Any], T]) -> T:
    """Call with a cursor of the driver, in SQLAlchemy's transaction.

    Raises:
        DBAPIError: what the driver raised, as SQLAlchemy tells it.
    """
    if not connection.in_transaction():
        connection.begin()  # as SQLAlchemy itself does
    driver: Any = connection.dialect.loaded_dbapi
    cursor = connection.connection.cursor()
    try:
        return call(cursor)
    except driver.Error as error:
        raise DBAPIError.instance(None, None, error, driver.Error, hide_parameters=True) from error
    finally:
        cursor.close()


def _run_on_sqlite(connection: Connection, compiled: _Compiled, rows: Sequence[Values]) -> int:
    """Execute a change for several rows, some at a time in one statement where it can be one."""
    if form := value_rows.update_form(compiled.statement):
        text, arrange = form
        values: list[Sequence[Any]] = [arrange(row) for row in rows]
    elif isinstance(compiled.statement, Insert):
        text, values = compiled.values(rows)
    else:
        return compiled.run(connection, rows)
    changes = value_rows.statements(text, values)
    return _driven(connection, lambda cursor: sum(int(cursor.execute(*each).rowcount) for each in changes))


def _run(cursor: Any, text: str, rows: Sequence[Any]) -> int:  # noqa: ANN401 - the driver's
    if len(rows) == 1:
        cursor.execute(text, rows[0])
    elif isinstance(rows[0], dict):
        execute_many(cursor, text, rows)
    else:
        cursor.executemany(text, rows)
    return int(cursor.rowcount)


def _all_or_nothing(text: str) -> str:
    """Have SQLite roll back the whole transaction where a row breaks a constraint, as we would do anyway.

    Otherwise it copies each page before the statement changes it, to be able to take back that statement alone. With
    random keys that took twice as long as the insert itself.
    """
    return _CHANGES.sub(lambda found: f"{found[0]} OR ROLLBACK", text, count=1)


def pad_to_power_of_two(numbers: Iterable[int]) -> list[int]:
    """Repeat the last number until there are 1, 2, 4, 8 … of them, for an IN.

    Each length is a statement of its own, and the driver keeps the last 128 statements prepared, which took 4 MB.
    """
    each = list(numbers)
    missing = (1 << max(0, len(each) - 1).bit_length()) - len(each) if each else 0
    return each + each[-1:] * missing
