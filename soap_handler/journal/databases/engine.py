"""Opening the database at a URL, on either engine. What makes a commit durable is in ``sqlite`` and ``postgresql``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from soap_handler import telemetry
from soap_handler.clock import QueueClock
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal.databases import postgresql, sqlite
from soap_handler.journal.databases.journal_files import JournalFiles, file_of, journal_files_of, set_up
from soap_handler.journal.execute import EXECUTOR, PLAIN, QUEUE_CLOCK
from soap_handler.settings.journal_url import DRIVERS, EXPECTED, has_limits

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from soap_handler.journal.execute import Executor

_SILENCE_LIMIT: Final = "seconds of silence"  # the name in an engine's execution options
_SILENCE_LIMIT_SECONDS: Final = 11.0
_OTHER_DRIVER: Final = (
    f"a journal takes no driver but {' and '.join(DRIVERS.values())}, whose waits for the database have a limit; "
    f"expected {EXPECTED}"
)
_INSTALL: Final = "pip install '.[postgresql]', where the source is"


def open_engine(
    url: str,
    executor: Executor = PLAIN,
    queue_clock: QueueClock | None = None,
    *,
    create: bool = True,
    silence_limit: float = _SILENCE_LIMIT_SECONDS,
) -> Engine:
    """Return an engine for a SQLAlchemy URL, set up so that a commit is durable.

    ``executor`` runs the frequent statements (``execute``); ``queue_clock`` is that of due times and leases.
    ``create``: make SQLite's file where there is none, until :func:`create_no_more`. ``silence_limit`` is how long
    (seconds) the committer's connection may be silent.

    Raises:
        sqlalchemy.exc.ArgumentError: the text is no SQLAlchemy URL.
        JournalUnavailableError: the URL names another driver, one that is not installed, or no file.
    """
    address = make_url(url)
    if not has_limits(address):
        raise JournalUnavailableError(_OTHER_DRIVER)
    journal_files = JournalFiles(file_of(address), create=create) if address.get_backend_name() == "sqlite" else None
    try:
        engine = create_engine(
            postgresql.with_timeouts(address),
            pool_pre_ping=address.get_backend_name() != "sqlite",
            max_overflow=-1,  # as many connections as there are threads that need one; none waits for another
            hide_parameters=True,  # an error's text must not quote phone numbers and bodies
            execution_options={
                EXECUTOR: executor,
                QUEUE_CLOCK: queue_clock or QueueClock(),
                _SILENCE_LIMIT: silence_limit,
            },
        )
    except ModuleNotFoundError as error:
        text = f"the journal needs the Python package {error.name}, which is not installed"
        hint = f"; for PostgreSQL: {_INSTALL}" if address.get_backend_name() == "postgresql" else ""
        raise JournalUnavailableError(text + hint) from error
    if journal_files is not None:
        sqlite.set_up(engine)
        set_up(engine, journal_files)
    else:
        postgresql.set_up(engine)
    return engine


def create_no_more(engine: Engine, revision: str) -> None:
    """Open only a journal whose tables are of this revision from now on: no empty file may replace one that is gone."""
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(**sqlite.READ_ONLY) as connection:
            journal_files_of(engine).has_tables(connection.connection.driver_connection, revision)


def silence_limit_of(engine: Engine) -> float:
    """Return how long (seconds) a connection that writes may be silent before it is given up."""
    return float(engine.get_execution_options()[_SILENCE_LIMIT])


def connect_to_write(engine: Engine) -> Connection:
    """Return a connection for the committer, which does nothing but write: one transaction after the other."""
    connection = engine.connect()
    try:
        if engine.dialect.name == "sqlite":
            sqlite.prepare_to_write(connection)
        else:
            postgresql.plan_by_index(connection)
            postgresql.limit_silence(connection, silence_limit_of(engine))
    except SQLAlchemyError:
        abandon(connection)
        raise
    return connection


def begin_late(connection: Connection, seconds: float) -> None:
    """Begin the transaction of a ``sqlite.LATE`` connection at the database, for ``seconds`` at most."""
    if connection.dialect.name == "sqlite":
        sqlite.begin_late(connection)
    else:
        postgresql.limit_transaction(connection, seconds)


def abandon(connection: Connection) -> None:
    """Close a connection for good, not back into the pool: after an error its state is unknown."""
    try:
        connection.invalidate()
        connection.close()
    except SQLAlchemyError as error:
        telemetry.emit("journal_connection_lost", error=type(error).__name__)
