"""Migration: makes the tables, brings them up to date, or refuses those of a newer release.

A new database gets the tables of ``schema`` at once, marked with the newest revision. Only a database that has tables
goes through the steps in ``migrations``. Alembic, which runs those, is imported only then: it would cost every service
about 10 MB and a tenth of a second.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from soap_handler import telemetry
from soap_handler.errors import JournalUnavailableError, SchemaError
from soap_handler.journal import schema
from soap_handler.journal.databases import postgresql
from soap_handler.journal.databases.engine import open_engine
from soap_handler.journal.databases.errors import reason
from soap_handler.settings.journal_url import masked

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

HEAD: Final = "0015"
"""The newest revision in ``migrations/versions``; a test holds the two together."""

SCRIPTS: Final = Path(__file__).parent / "migrations"
"""Where Alembic finds the revisions."""

_ADVISORY_LOCK: Final = 0x534F4150  # any number that is ours: only one process may create the tables
_MIGRATION_SECONDS: Final = 3600.0  # for which the server may be silent
_one_at_a_time = threading.Lock()  # Alembic's environment is global

# Alembic's own table, as Alembic makes it: what is made here must be a journal that Alembic can bring further.
_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def migrate_journal(url: str) -> str | None:
    """Bring the tables of the journal at a SQLAlchemy URL up to date, or make it; return the revision that they had.

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


def migrate(engine: Engine, *, create_tables: bool = True) -> str | None:
    """Make the tables, or run the migrations that they lack, in one transaction; return the revision that they had.

    Any number of processes may do so at once: one does, the others wait for it. Where nothing is lacking, nothing is
    written, so that a service whose user may not change tables can start. Only where it ``create_tables`` is a journal
    made that is not there yet.

    Raises:
        JournalUnavailableError: there is no journal, and none is to be made.
        SchemaError: the tables are of a release that this one does not know.
    """
    with engine.begin() as connection:
        before = revision_of(connection)
        if before == HEAD:
            return before
        if before is None and not create_tables:
            raise JournalUnavailableError("the database holds no journal; serve and migrate make one")
        if connection.dialect.name == "postgresql":  # SQLite's transaction holds the lock already
            _wait_for_our_turn(connection)
        made = not inspect(connection).get_table_names()  # asked again: another process may have been first
        if made:
            create(connection)
        elif revision_of(connection) != HEAD:
            with _one_at_a_time:
                upgrade(connection)
    if made:
        telemetry.emit("journal_made", journal=masked(engine.url.render_as_string(hide_password=True)))
    return before


def create(connection: Connection) -> None:
    """Make all tables in an empty database, as the migrations would leave them (a test compares the two)."""
    schema.metadata.create_all(connection, checkfirst=False)
    _version.create(connection, checkfirst=False)
    connection.execute(_version.insert().values(version_num=HEAD))


def upgrade(connection: Connection) -> None:
    """Run the migrations that the tables lack.

    Raises:
        SchemaError: the tables are of a release that this one does not know.
    """
    from alembic import command  # noqa: PLC0415 - needed only after a change of the release; see above
    from alembic.config import Config  # noqa: PLC0415 - needed only after a change of the release
    from alembic.util import CommandError  # noqa: PLC0415 - needed only after a change of the release

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))  # the option is read with interpolation
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        found = revision_of(connection)
        raise SchemaError(f"the journal's tables are of revision {found}; this release knows up to {HEAD}") from error


def _wait_for_our_turn(connection: Connection) -> None:
    """Wait long for another process that migrates; then migrate for as long, but with short waits for locks."""
    postgresql.limit_silence(connection, _MIGRATION_SECONDS)
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    connection.execute(text("SET LOCAL lock_timeout = 5000"))  # ms; all wait behind a change that waits


def is_known(revision: str) -> bool:
    """Whether this release can bring tables of a revision up to date."""
    return any(each.name.partition("_")[0] == revision for each in (SCRIPTS / "versions").glob("*.py"))


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the tables, without Alembic; ``None`` where there are none."""
    if not inspect(connection).has_table(_version.name):
        return None
    return cast("str | None", connection.scalar(text("SELECT version_num FROM alembic_version")))
