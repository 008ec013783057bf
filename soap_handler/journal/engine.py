"""Opening the database: what each engine needs so that a commit means "on disk". No tables here."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError

from soap_handler import telemetry
from soap_handler.errors import JournalUnavailableError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine, ExceptionContext

READ_ONLY = {"read_only": True}
"""Execution options of a connection that only looks: it must not wait for the one who writes."""

SINGLE = {"isolation_level": "AUTOCOMMIT"}
"""Execution options of a connection on which each statement is a transaction of its own, in one round trip.

For PostgreSQL alone. The statement has been committed when it returns; what fails at the commit, it raises.
"""

LATE = {"begins_late": True}
"""Execution options of a connection whose transaction begins at the database only when ``begin_late`` is called.

It may have a further option ``on_error``, a function that is called when a statement failed.
"""

_BUSY_TIMEOUT: Final = 5000  # milliseconds
_PRAGMAS = (
    f"busy_timeout = {_BUSY_TIMEOUT}",
    "journal_mode = WAL",  # readers and the writer do not hold each other up
    "synchronous = FULL",  # fsync at every commit: 200 means on disk
    "fullfsync = ON",  # macOS: fsync alone leaves data in the drive's cache; elsewhere without effect
    "foreign_keys = ON",
    "cache_size = -384",  # KiB for each connection: five times as many are no quicker, the system has the file cached
    "secure_delete = ON",  # what was deleted or erased is overwritten, and not only given free
)

_BEGIN_WRITING: Final = "BEGIN IMMEDIATE"
_LOOK_AGAIN: Final = 0.0003  # seconds: a part of what a commit takes
_PATIENCE: Final = "milliseconds to wait for the lock"  # the name under which a connection notes it

# What libpq is told, unless the URL says otherwise. A server that is gone is noticed in seconds, not in the two hours
# of TCP; a standby is never mistaken for the one that takes writes.
_LIBPQ: Final = {
    "application_name": "soap_handler",
    "connect_timeout": "5",  # seconds
    "keepalives_idle": "5",  # seconds of silence
    "keepalives_interval": "2",  # seconds
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",  # milliseconds that what was sent may stay unconfirmed
    "target_session_attrs": "read-write",
}
_LIBPQ_DRIVERS: Final = ("psycopg", "psycopg2")

# What each session is told, unless the server's configuration, the role or the URL sets a limit: milliseconds.
_LIMITS: Final = {
    "statement_timeout": "30000",
    "lock_timeout": "5000",  # as long as SQLite's busy_timeout
    "idle_in_transaction_session_timeout": "15000",  # a host that froze in a transaction must not hold up the others
}
# What the session of the one who writes is told too. PostgreSQL keeps the plan of a statement until it has looked at
# the table again, a minute later: the plan for a journal of ten rows, to read it all, would be that of a burst.
_BY_INDEX: Final = "SELECT set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false)"
_DURABLE: Final = ("on", "remote_apply")  # values of synchronous_commit that survive a crash and a fail-over
_INSTALL: Final = "pip install 'soap-handler[postgresql]'"


def open_engine(url: str) -> Engine:
    """Return an engine for this SQLAlchemy URL, set up so that a commit is durable.

    Raises:
        sqlalchemy.exc.ArgumentError: the text is no SQLAlchemy URL, or names an engine that is not known.
        JournalUnavailableError: the driver of the engine is not installed.
    """
    address = make_url(url)
    try:
        engine = create_engine(
            _patient(address),
            pool_pre_ping=address.get_backend_name() != "sqlite",
            max_overflow=-1,  # as many connections as there are threads that need one; none waits for another
            hide_parameters=True,  # an error's text must not quote phone numbers and bodies
        )
    except ModuleNotFoundError as error:
        text = f"the journal needs the Python package {error.name}, which is not installed"
        hint = f"; for PostgreSQL: {_INSTALL}" if address.get_backend_name() == "postgresql" else ""
        raise JournalUnavailableError(text + hint) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "handle_error", _tell)
    else:
        event.listen(engine, "connect", _prepare_postgresql)
        if engine.dialect.driver == "psycopg":
            event.listen(engine, "do_executemany", _execute_many)
    return engine


def connect_to_write(engine: Engine) -> Connection:
    """Return a connection for what does nothing but write, one transaction after the other."""
    connection = engine.connect().execution_options(only_writes=True)
    if engine.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        try:
            driver.autocommit = True  # or the first roll-back would take the settings back
            connection.exec_driver_sql(_BY_INDEX)
            connection.rollback()
            driver.autocommit = False
        except SQLAlchemyError:
            abandon(connection)
            raise
    return connection


def is_durable(connection: Connection) -> bool:
    """Whether this PostgreSQL server waits for the disk at all; that is its operator's choice, not a session's."""
    return connection.exec_driver_sql("SELECT current_setting('fsync')").scalar() != "off"


def _tell(context: ExceptionContext) -> None:
    """Tell the connection's ``on_error``; SQLAlchemy itself has no such event for one connection alone."""
    if context.connection is not None:
        on_error = context.connection.get_execution_options().get("on_error")
        if on_error is not None:
            on_error()


def begin_late(connection: Connection, seconds: float) -> None:
    """Begin the transaction of a connection with ``LATE`` options at the database, for ``seconds`` at most."""
    cursor = connection.connection.cursor()
    try:
        if connection.dialect.name == "sqlite":
            if not _begin_writing(connection.connection.driver_connection):
                cursor.execute(_BEGIN_WRITING)  # once more, for its error
        else:  # the driver begins by itself
            for name in ("idle_in_transaction_session_timeout", "statement_timeout"):
                cursor.execute(f"SET LOCAL {name} = {int(seconds * 1000)}")
    finally:
        cursor.close()


def _patient(url: URL) -> URL:
    """Return the URL with what makes libpq notice a server that is gone."""
    if url.get_backend_name() != "postgresql" or url.get_driver_name() not in _LIBPQ_DRIVERS:
        return url
    return url.update_query_dict({name: value for name, value in _LIBPQ.items() if name not in url.query})


def _prepare_postgresql(connection: Any, _record: object) -> None:  # noqa: ANN401 - a connection of the driver
    cursor = connection.cursor()
    names = ("synchronous_commit", *_LIMITS)
    cursor.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))
    found = dict(zip(names, cursor.fetchone(), strict=True))
    wanted = {name: value for name, value in _LIMITS.items() if found[name] == "0"}
    if found["synchronous_commit"] not in _DURABLE:
        wanted["synchronous_commit"] = "on"
    for name, value in wanted.items():
        cursor.execute(f"SET SESSION {name} = {value}")
    cursor.close()
    connection.commit()  # or the first roll-back would take the settings back


def _execute_many(cursor: Any, statement: str, rows: Any, _context: object) -> bool:  # noqa: ANN401 - the driver's
    """Do what SQLAlchemy would, and say something more: or the server's limit on idle transactions would not hold.

    psycopg sends many rows as a pipeline that ends with a Flush. A server that has been asked for one waits for what
    follows without a limit: a host that freezes then would keep its locks for as long as it is frozen.
    """
    cursor.executemany(statement, rows)
    cursor.connection.execute("")
    return True


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a connection of the driver
    connection.isolation_level = None  # the driver would begin transactions by itself, and too late
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        # SQLite itself does not wait to change the journal mode: whoever else opens the same new file would fail.
        if not _wait_for_lock(connection, _BUSY_TIMEOUT, f"PRAGMA {pragma}"):
            cursor.execute(f"PRAGMA {pragma}")  # once more, for its error
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that is going to write takes the lock at once: taking it later can fail without waiting.
    options = connection.get_execution_options()
    if options.get("begins_late", False):
        return
    if options.get("read_only", False):
        connection.exec_driver_sql("BEGIN")
        return
    driver: Any = connection.connection.driver_connection
    begun = _begin_again(connection, driver) if options.get("only_writes", False) else _begin_writing(driver)
    if not begun:
        connection.exec_driver_sql(_BEGIN_WRITING)  # once more, for SQLAlchemy to see the error


def _begin_again(connection: Connection, driver: Any) -> bool:  # noqa: ANN401 - a connection of the driver
    """Do as :func:`_begin_writing`, where nothing but writing follows: what it sets may stay so."""
    if driver.in_transaction:  # by seize
        return True
    if _PATIENCE not in connection.info:
        connection.info[_PATIENCE] = _hasten(driver)
    return _wait_for_lock(driver, connection.info[_PATIENCE])


def commits_singly(engine: Engine) -> bool:
    """Whether ``SINGLE`` makes a commit quicker: SQLite has no round trips."""
    return engine.dialect.name == "postgresql"


def can_send(engine: Engine) -> bool:
    """Whether one can wait for the server as for any file: on PostgreSQL, with the driver that shows its connection."""
    return engine.dialect.name == "postgresql" and engine.dialect.driver == "psycopg"


def abandon(connection: Connection) -> None:
    """Close a connection for good, and not for the next one to have: nobody knows what state it is in."""
    try:
        connection.invalidate()
        connection.close()
    except SQLAlchemyError as error:
        telemetry.emit("journal_connection_lost", error=type(error).__name__)


def can_seize(connection: Connection) -> bool:
    """Whether this is a connection of :func:`connect_to_write` to SQLite that has been used already."""
    return _PATIENCE in connection.info


def seize(connection: Connection) -> bool:
    """Begin to write at once, before the transaction itself; return whether the lock was free.

    Where it cannot be known without waiting (:func:`can_seize`), the answer is no.
    """
    if not can_seize(connection):
        return False
    driver: Any = connection.connection.driver_connection
    return _wait_for_lock(driver, 0)


def _begin_writing(driver: Any) -> bool:  # noqa: ANN401 - likewise
    """Wait for the lock that every writer needs, for busy_timeout at most; return whether we have it.

    SQLite's own waiting sleeps longer each time, up to 100 ms. With several processes that write all the time, the one
    that has waited longest would lose against those that have just come, for seconds.
    """
    patience = _hasten(driver)
    try:
        return _wait_for_lock(driver, patience)
    finally:
        driver.execute(f"PRAGMA busy_timeout = {patience}")


def _hasten(driver: Any) -> int:  # noqa: ANN401 - likewise
    """Have SQLite not wait by itself; return for how long (milliseconds) it would have."""
    (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute("PRAGMA busy_timeout = 0")
    return int(patience)


def _wait_for_lock(driver: Any, patience: int, statement: str = _BEGIN_WRITING) -> bool:  # noqa: ANN401 - likewise
    """Execute a statement that needs a lock, again and again for ``patience`` milliseconds; return whether it was."""
    deadline = time.monotonic() + patience / 1000
    while True:
        try:
            driver.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_AGAIN)
        else:
            return True
