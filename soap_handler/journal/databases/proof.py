"""Proof that a journal can be written: rows of every table are written, changed and deleted, and all is rolled back."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import schema
from soap_handler.journal.databases.errors import reason
from soap_handler.journal.execute import Instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, Connection, Engine, Table

if sys.platform != "win32":
    import pwd

_PRIVILEGES: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VALUES: Final[dict[type, Any]] = {int: 0, float: 0.0, bool: False, bytes: b"", str: "proof"}


def prove_writable(engine: Engine) -> str:
    """Write to each table of a journal and roll it back; return as whom.

    Raises:
        JournalUnavailableError: it cannot be written; on PostgreSQL the text names each right that is missing.
    """
    try:
        with engine.connect() as connection, connection.begin() as transaction:
            try:
                return prove(connection)
            finally:
                transaction.rollback()
    except SQLAlchemyError as error:
        raise JournalUnavailableError(f"the journal cannot be written: {reason(error)}") from error


def prove(connection: Connection) -> str:
    """Do so in a transaction that the caller rolls back; return as whom.

    Raises:
        JournalUnavailableError: a right is missing.
        SQLAlchemyError: the database refuses something else.
    """
    user = user_of(connection)
    if connection.dialect.name == "postgresql":
        missing = list(_missing_rights(connection))
        if missing:
            raise JournalUnavailableError(f"the role {user} may not write the journal; GRANT it {', '.join(missing)}")
    _write(connection)
    return user


def user_of(connection: Connection) -> str:
    """Return as whom a database is used: the role on PostgreSQL, the user of the operating system on SQLite."""
    if connection.dialect.name == "postgresql":
        return str(connection.scalar(text("SELECT current_user")))
    return system_user()


def system_user() -> str:
    """Return the user that this process runs as, whatever its environment says."""
    if sys.platform == "win32":
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's user often has no name
        return f"user {os.geteuid()}"


def operator() -> str:
    """Return who runs this process: the user, the one behind sudo, and the host."""
    user, host = system_user(), socket.gethostname()
    behind = os.environ.get("SUDO_USER")
    return f"{behind} as {user}@{host}" if behind and behind != user else f"{user}@{host}"


def _missing_rights(connection: Connection) -> Iterator[str]:
    """Return each right that the role lacks, as GRANT names it."""
    for table in schema.metadata.sorted_tables:
        for privilege in _PRIVILEGES:
            if not connection.scalar(select(func.has_table_privilege(table.name, privilege))):
                yield f"{privilege} ON {table.name}"
        for sequence in _sequences(connection, table):
            if not connection.scalar(select(func.has_sequence_privilege(sequence, "USAGE"))):
                yield f"USAGE ON SEQUENCE {sequence}"


def _sequences(connection: Connection, table: Table) -> Iterator[str]:
    for column in table.primary_key:
        found = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
        if found is not None:
            yield str(found)


def _write(connection: Connection) -> None:
    """Insert, read, change and delete a row of each table, those that others refer to first."""
    keys: dict[str, dict[str, Any]] = {}
    for table in schema.metadata.sorted_tables:
        row = {column.name: _value(column, keys) for column in table.columns if _is_needed(column)}
        inserted = connection.execute(insert(table).values(row)).inserted_primary_key
        keys[table.name] = {column.name: value for column, value in zip(table.primary_key, inserted or (), strict=True)}
    for table in reversed(schema.metadata.sorted_tables):
        is_it = [table.c[name] == value for name, value in keys[table.name].items()]
        changed = next(column for column in table.columns if not column.primary_key)
        connection.execute(select(table).where(*is_it)).one()
        connection.execute(update(table).where(*is_it).values({changed.name: changed}))
        connection.execute(delete(table).where(*is_it))


def _is_needed(column: Column[Any]) -> bool:
    is_assigned = column.primary_key and column.table.autoincrement_column is column
    has_default = column.default is not None or column.server_default is not None
    return not (column.nullable or is_assigned or has_default)


def _value(column: Column[Any], keys: dict[str, dict[str, Any]]) -> Any:  # noqa: ANN401 - of the column's type
    for reference in column.foreign_keys:
        return keys[reference.column.table.name][reference.column.name]
    if column.unique or column.primary_key:
        return f"soap-handler-proof-{os.getpid()}" if column.type.python_type is str else 0
    return _EPOCH if isinstance(column.type, Instant) else _VALUES[column.type.python_type]
