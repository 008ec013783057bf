"""SQL that goes to the driver directly: what is left of a transaction where a statement of it fails."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, event, insert, select
from sqlalchemy.exc import DBAPIError

from soap_handler.fast.compiled_sql import Statement
from soap_handler.journal.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

METADATA = MetaData()
TABLE = Table("thing", METADATA, Column("number", Integer, primary_key=True), Column("name", Text, nullable=False))
INSERT = Statement(insert(TABLE), ("number", "name"))
GOOD = [{"number": 1, "name": "one"}]
BAD: list[dict[str, Any]] = [{"number": 2, "name": "two"}, {"number": 3, "name": None}]


@contextmanager
def opened(folder: Path) -> Iterator[Connection]:
    engine = open_engine(f"sqlite:///{folder / 'things.db'}")
    METADATA.create_all(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def numbers(connection: Connection) -> list[int]:
    return list(connection.execute(select(TABLE.c.number).order_by(TABLE.c.number)).scalars())


def test_a_row_that_breaks_a_constraint_leaves_nothing_of_the_transaction(tmp_path: Path) -> None:
    """SQLite rolls back all of it at once, so that it need not be able to roll back one statement."""
    with opened(tmp_path) as connection:
        connection.begin()
        INSERT.run(connection, GOOD)
        with pytest.raises(DBAPIError):
            INSERT.run(connection, BAD)
        driver: Any = connection.connection.driver_connection

        assert not driver.in_transaction
        connection.rollback()
        assert numbers(connection) == []


def test_where_somebody_listens_only_the_statement_is_undone(tmp_path: Path) -> None:
    """In a handler's own transaction the handler's writes are not ours to roll back."""
    heard = []
    with opened(tmp_path) as connection:
        event.listen(connection, "before_cursor_execute", lambda *_: heard.append(1))
        with connection.begin():
            INSERT.run(connection, GOOD)
            with pytest.raises(DBAPIError):
                INSERT.run(connection, BAD)
        assert numbers(connection)[0] == 1

    assert heard
