"""The sink that inserts into a table of the customer's database, one row for each notification.

Rows that come together are inserted together, with one commit; where one is refused, each goes alone. SQLAlchemy speaks
to PostgreSQL, MySQL and MariaDB, SQL Server, Oracle and SQLite. A unique key makes it idempotent: a row that is there
already is a success. What a column cannot hold (NUL, half a surrogate pair) is replaced; the column for ``payload`` has
the JSON form, and with it the exact text.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    insert,
    inspect,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from soap_handler.errors import RetryLater, SinkDownError, SinkError, SinkRefusedError
from soap_handler.settings.sinks import MOST_AT_ONCE
from soap_handler.sinks.base import BatchSink, for_each
from soap_handler.sinks.form import form, written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

    from soap_handler.settings.sinks import SqlSettings
    from soap_handler.sinks.base import Delivery

_RECYCLE_SECONDS: Final = 300  # after which a connection is made anew
_KEY: Final = "key"
_TYPES: Final[dict[str, TypeEngine[Any]]] = {
    # No MySQL index takes a longer key of four bytes a character, and no key is longer than account, kind, id and time.
    _KEY: String(512),
    "kind": String(32),
    "account": String(128),
    "id": String(64),
    "notification_id": String(64),
    "originator": String(256),
    "recipient": String(256),
    "mobile_number": String(256),
    "contact_id": String(256),
    "body": Text(),
    "type": String(64),
    "event_type": String(64),
    "error_type": String(64),
    "event_code": String(64),
    "detail": Text(),
    "failure_code": Integer(),
    "failure_description": Text(),
    "failure_is_permanent": Boolean(),
    "sent_at": DateTime(),
    "received_at": DateTime(),
    "occurred_at": DateTime(),
    "stored_at": DateTime(),
    "payload": Text(),
}
"""The type of each attribute that a column can be filled with. Times are UTC, without a zone."""


class Sql(BatchSink):
    """A table."""

    def __init__(self, settings: SqlSettings) -> None:
        self._settings = settings
        self.table, self._columns = table_of(settings)
        self._insert = insert(self.table)
        self._statement_seconds = settings.statement_seconds
        self.batch = min(settings.batch, MOST_AT_ONCE // settings.concurrency)  # the default is for usual ones
        self._engine: Engine = create_engine(
            settings.url.get_secret_value(),
            pool_size=settings.concurrency,
            pool_recycle=_RECYCLE_SECONDS,
            pool_reset_on_return=None,  # each transaction is ended where it was begun
            hide_parameters=True,
            connect_args=_timeouts(settings),
        )

    def probe(self) -> str:
        """Log in, and look for the table and its columns."""
        try:
            with self._engine.connect() as connection:
                found = {each["name"] for each in inspect(connection).get_columns(self.table.name, self.table.schema)}
        except NoSuchTableError as error:
            text = f"there is no table {self.table.fullname}; soap-handler sink create-table makes it"
            raise SinkDownError(text) from error
        except SQLAlchemyError as error:
            raise SinkDownError(_reason(error)) from error
        missing = sorted(set(self._columns.values()) - found)
        if missing:
            raise SinkDownError(f"the table {self.table.fullname} has no column {', '.join(missing)}")
        return f"logged in; the table {self.table.fullname} has every column"

    def create_table(self) -> None:
        """Create the table, unless it is there.

        Raises:
            SinkDownError: the database says no.
        """
        try:
            self.table.metadata.create_all(self._engine)
        except SQLAlchemyError as error:
            raise SinkDownError(_reason(error)) from error

    def ddl(self) -> str:
        """Return the statement that creates the table."""
        return ddl(self._settings, self._engine.dialect)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def deliver_all(self, deliveries: Sequence[Delivery]) -> Sequence[Exception | None]:
        """Insert rows in one transaction, and say of each what went wrong. Of a refused batch, each goes alone."""
        rows = [self._row(each) for each in deliveries]
        until = time.monotonic() + self._statement_seconds
        try:
            self._write(rows, until)
        except SQLAlchemyError as error:
            if len(rows) == 1:
                return [self._verdict(rows[0], error)]
            if time.monotonic() > until or _is_lost(error):
                return for_each(SinkDownError(_reason(error)), len(rows))
            return self._one_by_one(rows, until)
        return [None] * len(rows)

    def _one_by_one(self, rows: Sequence[Mapping[str, Any]], until: float) -> Sequence[Exception | None]:
        """Find out which rows of a batch are refused. When time is up, the rest waits."""
        errors: list[Exception | None] = []
        for row in rows:
            if time.monotonic() > until:
                errors.append(RetryLater("its batch was refused, and no time was left to insert it alone"))
                continue
            try:
                self._write([row], until)
                errors.append(None)
            except SQLAlchemyError as error:
                errors.append(self._verdict(row, error))
        return errors

    def _write(self, rows: Sequence[Mapping[str, Any]], until: float) -> None:
        """Insert and commit; once more where the connection turned out to be closed.

        The key is unique, so what the lost connection had committed is found and does no harm.
        """
        try:
            self._insert_all(rows)
        except SQLAlchemyError as error:
            if not _is_lost(error) or time.monotonic() > until:
                raise
            self._insert_all(rows)

    def _insert_all(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(self._insert, rows)

    def _verdict(self, row: Mapping[str, Any], error: SQLAlchemyError) -> SinkError | None:
        """Return what the error means of a row that was inserted alone; ``None``: it is there already."""
        if isinstance(error, DataError):
            return SinkRefusedError(_reason(error))
        if not isinstance(error, IntegrityError):
            return SinkDownError(_reason(error))
        try:
            return None if self._is_there(row) else SinkRefusedError(_reason(error))
        except SinkDownError as down:
            return down

    def _is_there(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of this key is in the table, so that the constraint that refused it is the key's."""
        column = self.table.c[self._columns[_KEY]]
        try:
            with self._engine.connect() as connection:
                return connection.execute(select(column).where(column == row[column.name])).first() is not None
        except SQLAlchemyError as error:
            raise SinkDownError(_reason(error)) from error

    def _row(self, delivery: Delivery) -> dict[str, Any]:
        values = attributes(delivery)
        return {column: values.get(attribute) for attribute, column in self._columns.items()}


def attributes(delivery: Delivery) -> dict[str, Any]:
    """Return what columns can be filled with, by attribute."""
    values = form(delivery)
    payload = written(values)
    reason = values.pop("failure_reason", None) or {}
    found = {name: _storable(value) for name, value in values.items() if name in _TYPES and not isinstance(value, dict)}
    notification = delivery.notification
    for name in ("sent_at", "received_at", "occurred_at"):
        when = getattr(notification, name, None)
        found[name] = when.replace(tzinfo=None) if when is not None else None
    found |= {
        "stored_at": delivery.stored_at.replace(tzinfo=None),
        "failure_code": reason.get("code"),
        "failure_description": _storable(reason.get("description")),
        "failure_is_permanent": reason.get("permanent_failure"),
        "payload": payload,
    }
    return found


def table_of(settings: SqlSettings) -> tuple[Table, dict[str, str]]:
    """Return the table, and its column for each attribute."""
    schema, _, name = settings.table.rpartition(".")
    columns = dict(settings.columns) or {attribute: attribute for attribute in _TYPES}
    table = Table(
        name,
        MetaData(schema=schema or None),
        *(Column(column, _TYPES[attribute], nullable=attribute != _KEY) for attribute, column in columns.items()),
        UniqueConstraint(columns[_KEY], name=f"uq_{name}_{columns[_KEY]}"[:30]),  # Oracle's names were that short
        mysql_charset="utf8mb4",  # the four bytes of an emoji
        mysql_collate="utf8mb4_bin",
    )
    return table, columns


def ddl(settings: SqlSettings, dialect: Dialect) -> str:
    """Return the statement that creates the table, in the words of a database."""
    table, _ = table_of(settings)
    return f"{str(CreateTable(table).compile(dialect=dialect)).strip()};\n"


def _storable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a text as any database can store it: no NUL, no half of a surrogate pair."""
    if not isinstance(value, str) or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _timeouts(settings: SqlSettings) -> dict[str, Any]:
    """Return what tells the driver how long to wait, as far as it can be told."""
    seconds = max(1, round(settings.statement_seconds))
    url = make_url(settings.url.get_secret_value())
    scheme = url.drivername
    if scheme.startswith("postgresql"):
        theirs = " ".join(url.normalized_query.get("options", ()))  # such as a search_path; the last word counts
        ours = {"options": f"-c statement_timeout={seconds * 1000} {theirs}".strip()}
        return ours if "connect_timeout" in url.query else {**ours, "connect_timeout": seconds}
    if "pymysql" in scheme:
        return {"connect_timeout": seconds, "read_timeout": seconds, "write_timeout": seconds, "charset": "utf8mb4"}
    if "pymssql" in scheme:
        return {"login_timeout": seconds, "timeout": seconds}
    return {"timeout": seconds} if scheme.startswith("sqlite") else {}


def _is_lost(error: SQLAlchemyError) -> bool:
    """Whether there was no connection, or it broke, rather than that the database said no to a statement."""
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or (error.statement is None and not isinstance(error, IntegrityError))


def _reason(error: SQLAlchemyError) -> str:
    """Say what happened, without the values of the statement and without the address."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        what = type(error.orig).__name__
        if isinstance(error.orig, sqlite3.Error):  # its code has a name: SQLITE_BUSY, SQLITE_FULL, SQLITE_READONLY
            name = getattr(error.orig, "sqlite_errorname", None)
            return f"{what} ({name})" if name else what
        code = getattr(error.orig, "sqlstate", None) or (error.orig.args[0] if error.orig.args else "")
        return f"{what} ({code})" if isinstance(code, int) or (isinstance(code, str) and len(code) == 5) else what
    return type(error).__name__
