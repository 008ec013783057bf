"""SQL that is written with SQLAlchemy, compiled once, and run by the driver without a cost for each row or statement.

SQLAlchemy looks at every value of every row, and does much for every statement. Where hundreds of rows go through in a
moment, that costs more than the database itself. So here the values go to the driver as they are: instants as
:func:`schema.stored` gives them, and no defaults are filled in. Whoever listens to what SQLAlchemy executes (tracing,
or a handler's transaction) hears of these statements too: then they take SQLAlchemy's way.

Everything that is not done for each notification uses SQLAlchemy as usual.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Dialect

    Values = Mapping[str, Any]

T = TypeVar("T")

TOGETHER: Final = 16
"""Rows in a statement: each number is one of its own, which the driver keeps; with 32, 1 MB more."""

_VALUES: Final = re.compile(r"VALUES (\([^()]+\))")
_NAMED: Final = re.compile(r"%\((\w+)\)s")
_CHANGES: Final = re.compile(r"(?:INSERT|UPDATE)\b")
_EVENTS: Final = ("before_execute", "after_execute", "before_cursor_execute", "after_cursor_execute")


def is_heard(connection: Connection) -> bool:
    """Whether anybody listens to what this connection executes."""
    return any(getattr(connection.dispatch, name) for name in _EVENTS)


class Statement:
    """One statement. Its parameters are those of each ``bindparam`` in it, or the columns of an INSERT."""

    def __init__(self, statement: Any, columns: Sequence[str] | None = None, *, many: str = "") -> None:  # noqa: ANN401 - any of SQLAlchemy's that can be executed
        """``columns`` are those that an INSERT fills; ``many`` is the parameter that stands for several numbers.

        Of that one it is best to have :func:`few_lengths`.
        """
        self._statement = statement
        self._columns = columns
        self._many = many
        self._compiled: dict[tuple[str, int], tuple[str, Callable[[Values], Any]]] = {}

    def run(self, connection: Connection, rows: Sequence[Values]) -> int:
        """Execute it for each row of values; return how many rows of the database that changed."""
        if not rows:
            return 0
        text, arrange = self._for(connection.dialect, rows[0])
        values = [arrange(row) for row in rows]
        if is_heard(connection):
            return int(connection.exec_driver_sql(text, values).rowcount)
        if connection.dialect.name == "sqlite":
            text = _all_or_nothing(text)
        each = _together(text, values) if self._columns else ((text, one) for one in values)
        return sum(_driven(connection, statement, some) for statement, some in each)

    def text(self, dialect: Dialect) -> str:
        """Return the statement for a driver; not of one with ``many`` values."""
        return self._for(dialect, {})[0]

    def ask(self, connection: Connection, values: Values) -> list[Any]:
        """Execute it once and return its rows, with values as the driver gives them."""
        text, arrange = self._for(connection.dialect, values)
        if is_heard(connection):
            return list(connection.exec_driver_sql(text, arrange(values)).fetchall())
        return list(_driven(connection, text, arrange(values), answers=True))

    def _for(self, dialect: Dialect, values: Values) -> tuple[str, Callable[[Values], Any]]:
        length = len(values[self._many]) if self._many else 0
        known = self._compiled.get((dialect.name, length))
        if known is None:
            known = self._compiled[dialect.name, length] = self._compile(dialect, length)
        return known

    def _compile(self, dialect: Dialect, length: int) -> tuple[str, Callable[[Values], Any]]:
        compiled = self._statement.compile(dialect=dialect, column_keys=self._columns)
        text, names = compiled.string, compiled.positiontup
        if names is None and self._columns:
            text, names = _NAMED.sub("%s", text), _NAMED.findall(text)  # which can be had for several rows
        if names is None:  # the driver takes names
            return text.replace(f"IN ({self._place})", f"= ANY (CAST(%({self._many})s AS bigint[]))"), self._named
        text = text.replace(self._place, ", ".join("?" * length))
        return text, self._in_order(names)

    @property
    def _place(self) -> str:
        """Where SQLAlchemy's compiler leaves room for the several values."""
        return f"__[POSTCOMPILE_{self._many}]"

    def _named(self, values: Values) -> dict[str, Any]:
        many = self._many
        return {**values, many: f"{{{','.join(map(str, values[many]))}}}"} if many else dict(values)

    def _in_order(self, names: Sequence[str]) -> Callable[[Values], Any]:
        many = self._many
        if many:
            return lambda values: tuple(
                each for name in names for each in (values[name] if name == many else (values[name],))
            )
        return itemgetter(*names) if len(names) > 1 else lambda values: (values[names[0]],)


def _driven(connection: Connection, text: str, values: Any, *, answers: bool = False) -> Any:  # noqa: ANN401 - the driver's
    """Have the driver execute a statement; return how many rows it changed, or its answer.

    Raises:
        DBAPIError: what the driver raised, as SQLAlchemy tells it.
    """
    if not connection.in_transaction():
        connection.begin()  # as SQLAlchemy itself does
    driver: Any = connection.dialect.loaded_dbapi
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text, values)
        return cursor.fetchall() if answers else cursor.rowcount
    except driver.Error as error:
        raise DBAPIError.instance(text, None, error, driver.Error, hide_parameters=True) from error
    finally:
        cursor.close()


def _together(statement: str, rows: Sequence[Sequence[Any]]) -> Iterable[tuple[str, list[Any]]]:
    """Turn an INSERT for each of many rows into few of several rows.

    The driver gives up Python's lock for every statement that it runs. With one for each row, the thread that writes
    and the one that reads requests would take turns for each row, which costs more than the insert.
    """
    for begin in range(0, len(rows), TOGETHER):
        some = rows[begin : begin + TOGETHER]
        yield _repeated(statement, len(some)), [value for row in some for value in row]


@lru_cache(maxsize=4 * TOGETHER)
def _all_or_nothing(statement: str) -> str:
    """Have SQLite roll back the whole transaction where a row breaks a constraint, as we would do anyway.

    Otherwise it copies each page before the statement changes it, to be able to take back that statement alone. With
    keys that are random, that took twice as long as the insert itself.
    """
    return _CHANGES.sub(lambda found: f"{found[0]} OR ROLLBACK", statement, count=1)


@lru_cache(maxsize=2 * TOGETHER)
def _repeated(statement: str, count: int) -> str:
    """Return an INSERT of one row as one of several."""
    return _VALUES.sub(lambda found: "VALUES " + ", ".join([found[1]] * count), statement, count=1)


def few_lengths(several: Iterable[T]) -> list[T]:
    """Repeat the last one until there are 1, 2, 4, 8 … of them, for an IN.

    Each length is a statement of its own: the driver keeps the last 128 of them prepared, which took 4 MB.
    """
    each = list(several)
    missing = (1 << max(0, len(each) - 1).bit_length()) - len(each) if each else 0
    return each + each[-1:] * missing
