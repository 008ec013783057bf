"""SQL that is written with SQLAlchemy, compiled once for each engine, and run without a cost for each of many rows.

SQLAlchemy looks at every value of every row. Where a batch has hundreds, that costs more than the database itself. So
here the values go to the driver as they are: instants as :func:`schema.stored` gives them, and no defaults are filled
in. Everything that is not done for each notification uses SQLAlchemy as usual.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from soap_handler.journal.engine import TOGETHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Dialect, Executable

    Values = Mapping[str, Any]


class Statement:
    """One statement. Its parameters are those of each ``bindparam`` in it, or the columns of an INSERT."""

    def __init__(self, statement: Executable, columns: Sequence[str] | None = None) -> None:
        """``columns`` are those that an INSERT fills."""
        self._statement = statement
        self._columns = columns
        self._options = TOGETHER if columns else {}
        self._compiled: dict[str, tuple[str, Callable[[Values], Any]]] = {}

    def run(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Execute it for each row of values; for none, do nothing."""
        if rows:
            text, arrange = self._for(connection.dialect)
            connection.exec_driver_sql(text, [arrange(row) for row in rows], execution_options=self._options)

    def ask(self, connection: Connection, values: Values) -> Sequence[Any]:
        """Execute it once and return its rows, with values as the driver gives them."""
        text, arrange = self._for(connection.dialect)
        return connection.exec_driver_sql(text, arrange(values)).fetchall()

    def _for(self, dialect: Dialect) -> tuple[str, Callable[[Values], Any]]:
        known = self._compiled.get(dialect.name)
        if known is None:
            known = self._compiled[dialect.name] = self._compile(dialect)
        return known

    def _compile(self, dialect: Dialect) -> tuple[str, Callable[[Values], Any]]:
        compiled: Any = self._statement.compile(dialect=dialect, column_keys=self._columns)  # type: ignore[attr-defined] # not in Executable's type
        names = compiled.positiontup
        if names is None:  # the driver takes names
            return compiled.string, dict
        if len(names) == 1:
            return compiled.string, lambda values: (values[names[0]],)
        return compiled.string, itemgetter(*names)


def few_lengths(seqs: Iterable[int]) -> list[int]:
    """Repeat the last number until there are 1, 2, 4, 8 … of them, for an IN.

    Each length is a statement of its own: the driver keeps the last 128 of them prepared, which took 4 MB.
    """
    numbers = list(seqs)
    missing = (1 << max(0, len(numbers) - 1).bit_length()) - len(numbers) if numbers else 0
    return numbers + numbers[-1:] * missing
