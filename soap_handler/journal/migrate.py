"""Bringing the tables up to date, or refusing those of a newer release. The steps are in ``migrations``."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import inspect, text

from soap_handler.errors import SchemaError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

HEAD: Final = "0003"
"""The newest revision in ``migrations/versions``; a test holds the two together."""

_LOCK: Final = 0x534F4150  # any number that is ours: only one process may create the tables
_one_at_a_time = threading.Lock()  # Alembic's environment is global


def migrate(engine: Engine) -> None:
    """Run the migrations that the database lacks, in one transaction.

    Raises:
        SchemaError: the tables are of a release that this one does not know.
    """
    with engine.begin() as connection:
        if _revision(connection) == HEAD:
            return
        if connection.dialect.name == "postgresql":  # SQLite's transaction holds the lock already
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        if _revision(connection) != HEAD:
            with _one_at_a_time:
                _upgrade(connection)


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
