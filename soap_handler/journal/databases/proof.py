"""Proof that a journal can be written: rows of every table are written, changed and deleted, and all is rolled back."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, text
from sqlalchemy.exc import SQLAlchemyError

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import schema
from soap_handler.journal.databases.errors import reason
from soap_handler.journal.execute import Instant

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, Engine, Table, TextClause

if sys.platform != "win32":
    import pwd

_PRIVILEGES: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
_MISSING_PRIVILEGES: Final = text("""
    SELECT privilege || ' ON ' || name
    FROM unnest(CAST(:names AS text[])) AS name, unnest(CAST(:privileges AS text[])) AS privilege
    WHERE NOT has_table_privilege(name, privilege)
""")
_MISSING_SEQUENCES: Final = text("""
    SELECT 'USAGE ON SEQUENCE ' || sequence
    FROM unnest(CAST(:tables AS text[]), CAST(:columns AS text[])) AS key (name, part),
        pg_get_serial_sequence(name, part) AS sequence
    WHERE NOT has_sequence_privilege(sequence, 'USAGE')
""")
_INSERT: Final = "INSERT INTO {table} ({names}) VALUES ({values})"
_CHANGE_AND_DELETE: Final = (
    "UPDATE {table} SET {changed} = {changed} WHERE {is_it}",
    "DELETE FROM {table} WHERE {is_it}",
)
"""They read too, to find it. RETURNING would show the same, but SQLite has that since 3.35 alone."""
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
    if connection.dialect.name == "postgresql" and (missing := _missing_rights(connection)):
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


def _missing_rights(connection: Connection) -> list[str]:
    """Return each right that the role lacks, as GRANT names it."""
    tables = schema.metadata.sorted_tables
    keys = [column for table in tables for column in table.primary_key]
    names, privileges = [table.name for table in tables], list(_PRIVILEGES)
    of_keys = {"tables": [column.table.name for column in keys], "columns": [column.name for column in keys]}
    return [
        *connection.scalars(_MISSING_PRIVILEGES, {"names": names, "privileges": privileges}),
        *connection.scalars(_MISSING_SEQUENCES, of_keys),
    ]


def _write(connection: Connection) -> None:
    """Insert, change and delete a row of each table, those that others refer to first.

    The statements are text: at each start SQLAlchemy would take longer to compile them than a database to execute them.
    """
    keys: dict[str, dict[str, Any]] = {}
    for table in schema.metadata.sorted_tables:
        row = {column.name: _value(column, keys) for column in table.columns if _is_needed(column)}
        values = ", ".join(f":{name}" for name in row)
        sql = _INSERT.format(table=table.name, names=", ".join(row), values=values)
        connection.execute(_statement(sql, table, row))
        keys[table.name] = {column.name: row[column.name] for column in table.primary_key}
    for table in reversed(schema.metadata.sorted_tables):
        of_key = keys[table.name]
        is_it = " AND ".join(f"{name} = :{name}" for name in of_key)
        changed = next(column.name for column in table.columns if not column.primary_key)
        for each in _CHANGE_AND_DELETE:
            sql = each.format(table=table.name, changed=changed, is_it=is_it)
            if connection.execute(_statement(sql, table, of_key)).rowcount != 1:
                raise JournalUnavailableError(f"the journal cannot be written: {table.name} does not keep a new row")


def _statement(sql: str, table: Table, values: dict[str, Any]) -> TextClause:
    return text(sql).bindparams(*(bindparam(name, value, table.c[name].type) for name, value in values.items()))


def _is_needed(column: Column[Any]) -> bool:
    return not column.nullable and column.server_default is None


def _value(column: Column[Any], keys: dict[str, dict[str, Any]]) -> Any:  # noqa: ANN401 - of the column's type
    for reference in column.foreign_keys:
        return keys[reference.column.table.name][reference.column.name]
    if column.unique or column.primary_key:
        return f"soap-handler-proof-{os.getpid()}" if column.type.python_type is str else -os.getpid()
    return _EPOCH if isinstance(column.type, Instant) else _VALUES[column.type.python_type]
