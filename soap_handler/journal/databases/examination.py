"""Examination: what there is at a journal's URL, and whether it can be written. Nothing is made, and nothing stays."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, make_url
from sqlalchemy.exc import SQLAlchemyError

from soap_handler.errors import JournalUnavailableError, SchemaError
from soap_handler.journal import queries
from soap_handler.journal.databases import proof
from soap_handler.journal.databases.engine import open_engine
from soap_handler.journal.databases.errors import reason
from soap_handler.journal.databases.pooler import refuse_shared_sessions
from soap_handler.journal.migrate import HEAD, create, is_known, revision_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Engine


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found. Whatever it says was tried out."""

    user: str
    """As whom the journal is used: the role on PostgreSQL, the user of the operating system on SQLite."""
    revision: str | None
    """Of the tables; ``None`` where there are none yet: ``serve`` makes them, and is allowed to."""
    accounts: Mapping[str, int] = field(default_factory=dict)
    """How many notifications there are of each account, by the name that they bear."""

    lost_log: bool = False
    """Whether it is a file of SQLite without any table: the main file of a journal, copied without its log."""

    @property
    def is_current(self) -> bool:
        """Whether the tables are those of this release."""
        return self.revision == HEAD


def examine(url: str) -> Examination:
    """Look at the journal at a SQLAlchemy URL; write to it in a transaction that is rolled back.

    Where there is no journal yet, it is made in that transaction, or for a SQLite file, the folder is tried.

    Raises:
        sqlalchemy.exc.ArgumentError: the text is no SQLAlchemy URL.
        JournalUnavailableError: it cannot be opened, read, written or made, or is reached through a pooler that shares
            sessions; the text says why and as whom.
        SchemaError: its tables are of a newer release.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        path = Path(address.database or "").absolute()
        if not path.exists():
            return _examine_folder(path.parent)
        if not path.is_file():
            raise JournalUnavailableError(f"{path} is no file; expected one, or none yet")
        was_written = path.stat().st_size > 0
    else:
        was_written = False
    engine = open_engine(url)
    try:
        if engine.dialect.name == "postgresql":
            refuse_shared_sessions(engine)
        found = _examine(engine)
        return replace(found, lost_log=found.lost_log and was_written)
    except SQLAlchemyError as error:
        raise JournalUnavailableError(f"the journal cannot be used: {reason(error)}") from error
    finally:
        engine.dispose()


def _examine(engine: Engine) -> Examination:
    with engine.connect() as connection, connection.begin() as transaction:
        try:
            return _tried(connection)
        finally:
            transaction.rollback()


def _tried(connection: Connection) -> Examination:
    revision = revision_of(connection)
    if revision is not None and revision != HEAD:
        if not is_known(revision):
            raise SchemaError(f"the journal's tables are of revision {revision}; this release knows up to {HEAD}")
        return Examination(proof.user_of(connection), revision)
    if revision is None and not inspect(connection).get_table_names():
        create(connection)
        return Examination(proof.prove(connection), None, lost_log=True)
    if revision is None:  # tables of others: the migrations make ours beside them
        return Examination(proof.user_of(connection), None)
    user = proof.prove(connection)
    return Examination(user, revision, queries.accounts(connection))


def _examine_folder(folder: Path) -> Examination:
    user = proof.system_user()
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Examination(user, None)
    except OSError as error:
        text = f"there is no journal yet, and {user} cannot make one in {folder} ({error.strerror})"
        raise JournalUnavailableError(text) from error
