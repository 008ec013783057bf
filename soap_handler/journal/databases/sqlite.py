"""SQLite: what a commit needs to be on disk, and what a connection is made for. The fsync is here (``PRAGMAS``).

How a transaction goes is in ``sqlite_transaction``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event

from soap_handler.journal.databases.sqlite_transaction import (
    BEGIN_IMMEDIATE,
    WAIT_MS,
    begin,
    begin_immediate,
    poll_for_lock,
    turn_off_waiting,
)

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection, Engine, ExceptionContext

READ_ONLY: Final = {"read_only": True}
"""Execution options of a connection that only reads: it must not wait for the writer."""

LATE: Final = {"begins_late": True}
"""Execution options of a connection whose transaction begins at the database only when ``begin_late`` is called.

A further option ``on_error`` is a function that is called when a statement failed.
"""

BUSY_TIMEOUT_MS: Final = 5000
PRAGMAS: Final = (
    f"busy_timeout = {BUSY_TIMEOUT_MS}",
    "journal_mode = WAL",  # readers and the writer do not hold each other up
    "synchronous = FULL",  # fsync at every commit: 200 means on disk
    "fullfsync = ON",  # macOS: fsync alone leaves data in the drive's cache; elsewhere without effect
    "foreign_keys = ON",
    "cache_size = -384",  # KiB for each connection: five times as many are no quicker, the system has the file cached
    "secure_delete = ON",  # what was deleted or erased is overwritten, not only freed
)

JOURNAL_FILES: Final = "journal_files"
"""The name in an engine's execution options of what knows its files."""


def set_up(engine: Engine) -> None:
    """Have each connection of an engine begin its transactions as its options say."""
    event.listen(engine, "begin", begin)
    event.listen(engine, "handle_error", _call_on_error)


def begin_late(connection: Connection) -> None:
    """Take the writer's lock for a ``LATE`` connection.

    Raises:
        sqlite3.OperationalError: another connection held it for too long.
    """
    if not begin_immediate(connection):
        driver: Any = connection.connection.driver_connection
        driver.execute(BEGIN_IMMEDIATE)  # once more, for its error


def prepare_to_write(connection: Connection) -> None:
    """Turn off SQLite's own waiting on a connection that does nothing but write; ours takes its place for good."""
    driver: Any = connection.connection.driver_connection
    connection.info[WAIT_MS] = turn_off_waiting(driver)


def try_begin_immediate(connection: Connection) -> bool:
    """Begin a writing transaction before SQLAlchemy does, without waiting; return whether the lock was free.

    For a connection of :func:`prepare_to_write`.
    """
    return poll_for_lock(connection.connection.driver_connection, 0)


def prepare(connection: sqlite3.Connection) -> None:
    """Have a new connection commit durably."""
    connection.isolation_level = None  # the driver would begin transactions by itself, and too late
    for pragma in PRAGMAS:
        # SQLite does not wait to change the journal mode: a second process on the same new file would fail.
        if not poll_for_lock(connection, BUSY_TIMEOUT_MS, f"PRAGMA {pragma}"):
            connection.execute(f"PRAGMA {pragma}")  # once more, for its error


def _call_on_error(context: ExceptionContext) -> None:
    """Call the connection's ``on_error``; SQLAlchemy has no such event for one connection alone."""
    if context.connection is not None:
        on_error = context.connection.get_execution_options().get("on_error")
        if on_error is not None:
            on_error()
