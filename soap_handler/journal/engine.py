"""Opening the database: what each engine needs so that a commit means "on disk". No tables here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

READ_ONLY = {"read_only": True}
"""Execution options of a connection that only looks: it must not wait for the one who writes."""

_PRAGMAS = (
    "busy_timeout = 5000",  # milliseconds; first, since the next ones may have to wait themselves
    "journal_mode = WAL",  # readers and the writer do not hold each other up
    "synchronous = FULL",  # fsync at every commit: 200 means on disk
    "fullfsync = ON",  # macOS: fsync alone leaves data in the drive's cache; elsewhere without effect
    "foreign_keys = ON",
)


def open_engine(url: str) -> Engine:
    """Return an engine for this SQLAlchemy URL, set up so that a commit is durable.

    Raises:
        sqlalchemy.exc.ArgumentError: the text is no SQLAlchemy URL, or names an engine that is not installed.
    """
    engine = create_engine(
        make_url(url),
        pool_pre_ping=not url.startswith("sqlite"),
        hide_parameters=True,  # an error's text must not quote phone numbers and bodies
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a connection of the driver
    connection.isolation_level = None  # the driver would begin transactions by itself, and too late
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that is going to write takes the lock at once: taking it later can fail without waiting.
    reading = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
