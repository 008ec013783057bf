"""The engines on which the journal's tests run: SQLite in a file, and a real PostgreSQL where its programs are."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine

from tests.support.postgresql import NoPostgreSQLError, PostgreSQL, programs, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

__all__ = [
    "PostgreSQL",
    "running_postgresql",
    "skip_without_postgresql",
    "statements_of",
    "without_journal",
    "writers_held_up",
]


@contextlib.contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Start a server that does not wait for the disk, or skip the test with the reason why there is none."""
    skip_without_postgresql()
    with running(lambda folder: PostgreSQL(folder, durable=False)) as server:
        yield server


def skip_without_postgresql() -> None:
    """Skip the test with the reason why there is no PostgreSQL, if there is none."""
    try:
        programs()
    except NoPostgreSQLError as reason:
        pytest.skip(str(reason))


def without_journal(request: pytest.FixtureRequest, folder: Path) -> str:
    """Return the URL of a new database of the engine that the fixture is for. Most tests take a copy with tables."""
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'journal.db'}"
    return str(request.getfixturevalue("postgresql").database())


@contextlib.contextmanager
def statements_of(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """Note the text and the values of each statement that psycopg gets, past SQLAlchemy or not."""
    from psycopg import Cursor  # noqa: PLC0415 - installed only with the extra

    noted: list[tuple[str, Any]] = []

    class NotingCursor(Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            noted.append((str(query), params))
            return super().execute(query, params, **options)

        def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
            rows = list(params_seq)
            noted.append((str(query), rows[0]))
            super().executemany(query, rows, **options)

    driver: Any = connection.connection.driver_connection
    before, driver.cursor_factory = driver.cursor_factory, NotingCursor
    try:
        yield noted
    finally:
        driver.cursor_factory = before


class writers_held_up:  # noqa: N801 - used as a statement
    """Hold the lock that every writer needs, so that what is submitted meanwhile queues up."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)

    def __enter__(self) -> None:
        self._connection = self._engine.connect()
        if self._engine.dialect.name == "sqlite":
            self._connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr] # it is connected
            self._connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            self._connection.exec_driver_sql("LOCK TABLE notification IN EXCLUSIVE MODE")

    def __exit__(self, *_: object) -> None:
        self._connection.exec_driver_sql("ROLLBACK")
        self._connection.close()
        self._engine.dispose()
