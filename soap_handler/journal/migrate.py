"""Bringing the tables up to date, or refusing those of a newer release. The steps are in ``migrations``."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from soap_handler.errors import JournalUnavailableError, SchemaError
from soap_handler.journal.engine import open_engine
from soap_handler.journal.writer import reason

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

HEAD: Final = "0003"
"""The newest revision in ``migrations/versions``; a test holds the two together."""

_LOCK: Final = 0x534F4150  # any number that is ours: only one process may create the tables
_one_at_a_time = threading.Lock()  # Alembic's environment is global


def migrate_journal(url: str) -> str | None:
    """Bring the tables of the journal at a SQLAlchemy URL up to date; return the revision that they had.

    Raises:
        JournalUnavailableError: the database cannot be opened, or its tables not be changed.
        SchemaError: the tables are of a release that this one does not know.
    """
    engine = open_engine(url)
    try:
        return migrate(engine)
    except SQLAlchemyError as error:
        raise JournalUnavailableError(f"the journal cannot be migrated: {reason(error)}") from error
    finally:
        engine.dispose()


def migrate(engine: Engine) -> str | None:
    """Run the migrations that the database lacks, in one transaction; return the revision that it had.

    Any number of processes may do so at once: one does, the others wait for it. Where nothing is lacking, nothing is
    written, so that a service whose user may not change tables can start.

    Raises:
        SchemaError: the tables are of a release that this one does not know.
    """
    with engine.begin() as connection:
        before = _revision(connection)
        if before == HEAD:
            return before
        if connection.dialect.name == "postgresql":  # SQLite's transaction holds the lock already
            _wait_for_our_turn(connection)
        if _revision(connection) != HEAD:
            with _one_at_a_time:
                _upgrade(connection)
        return before


def _wait_for_our_turn(connection: Connection) -> None:
    """Wait without an end, since another process may have much to do, and then may we; but hold up nobody else."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    connection.execute(text("SET LOCAL lock_timeout = 5000"))  # milliseconds; behind a waiting change, everybody waits


def _revision(connection: Connection) -> str | None:
    """Return the revision of the tables; read without Alembic, whose import would slow every start."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return cast("str | None", connection.scalar(text("SELECT version_num FROM alembic_version")))


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - needed once in the life of a database
    from alembic.config import Config  # noqa: PLC0415 - likewise
    from alembic.util import CommandError  # noqa: PLC0415 - likewise

    config = Config()
    scripts = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", scripts.replace("%", "%%"))  # the option is read with interpolation
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        found = _revision(connection)
        raise SchemaError(f"the journal's tables are of revision {found}; this release knows up to {HEAD}") from error
