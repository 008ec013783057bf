"""PostgreSQL: what a commit needs to be on disk, and how a server that is gone, or silent, is noticed in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event

from soap_handler.errors import JournalUnavailableError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

# Parameters of libpq, unless the URL sets others. A server that is gone is noticed in seconds, not in the two hours of
# TCP. A standby is never mistaken for the server that takes writes.
_LIBPQ: Final = {
    "application_name": "soap_handler",
    "client_encoding": "utf8",  # or PGCLIENTENCODING would decide what can be sent
    "connect_timeout": "5",  # seconds
    "keepalives_idle": "5",  # seconds of silence
    "keepalives_interval": "2",  # seconds
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",  # milliseconds that sent data may stay unconfirmed
    "target_session_attrs": "read-write",
}

# Limits of each session in milliseconds, unless the server's configuration, the role or the URL sets one.
_LIMITS: Final = {
    "statement_timeout": "30000",
    "lock_timeout": "5000",  # as long as SQLite's busy_timeout
    "idle_in_transaction_session_timeout": "15000",  # a host that froze in a transaction must not hold up the others
}
# PostgreSQL keeps the plan of a statement until it has looked at the table again, a minute later. The plan for a
# journal of ten rows, to read all of it, would be used during a burst.
_BY_INDEX: Final = "SELECT set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false)"
_ENCODING: Final = "UTF8"
_SILENCE_MARGIN_SECONDS: Final = 3.0  # beyond the limit at which the server itself ends a statement
_DURABLE: Final = ("on", "remote_apply")  # values of synchronous_commit that survive a crash and a fail-over


def with_timeouts(url: URL) -> URL:
    """Return the URL with the parameters by which libpq notices a server that is gone."""
    if url.get_backend_name() != "postgresql":
        return url
    return url.update_query_dict({name: value for name, value in _LIBPQ.items() if name not in url.query})


def set_up(engine: Engine) -> None:
    """Have each connection of an engine commit durably and wait for nothing without a limit."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "do_executemany", _execute_many)
    event.listen(engine, "checkout", _wait_for_answers)
    event.listen(engine, "checkin", _wait_for_sign_of_life)
    event.listen(engine, "connect", _prepare)


def is_psycopg(engine: Engine) -> bool:
    """Whether the engine is PostgreSQL with psycopg 3, whose connections can be waited for like any file."""
    return engine.dialect.name == "postgresql" and engine.dialect.driver == "psycopg"


def is_durable(connection: Connection) -> bool:
    """Whether the server waits for the disk at all: that is its operator's choice, not a session's."""
    return connection.exec_driver_sql("SELECT current_setting('fsync')").scalar() != "off"


def limit_silence(connection: Connection, seconds: float) -> None:
    """Give up the connection where the server is silent for so long, until it is back in the pool."""
    driver: Any = connection.connection.driver_connection
    driver.silence_limit = seconds


def plan_by_index(connection: Connection) -> None:
    """Have the session plan each statement over an index, even while the tables are small."""
    driver: Any = connection.connection.driver_connection
    driver.autocommit = True  # or the first roll-back would take the settings back
    connection.exec_driver_sql(_BY_INDEX)
    connection.rollback()
    driver.autocommit = False


def limit_transaction(connection: Connection, seconds: float) -> None:
    """Let the present transaction run for ``seconds`` at most; the driver begins it by itself."""
    cursor = connection.connection.cursor()
    try:
        for name in ("idle_in_transaction_session_timeout", "statement_timeout"):
            cursor.execute(f"SET LOCAL {name} = {int(seconds * 1000)}")
    finally:
        cursor.close()
    limit_silence(connection, seconds + _SILENCE_MARGIN_SECONDS)


def execute_many(cursor: Any, statement: str, rows: Any) -> None:  # noqa: ANN401 - of the driver
    """Execute a statement for many rows, and send an empty one: or the limit on idle transactions would not hold.

    psycopg sends many rows as a pipeline that ends with a Flush. A server that was asked for a Flush waits for what
    follows without a limit: a host that freezes then would keep its locks for as long as it is frozen.
    """
    cursor.executemany(statement, rows)
    cursor.connection.execute("")


def _execute_many(cursor: Any, statement: str, rows: Any, _context: object) -> bool:  # noqa: ANN401 - of the driver
    execute_many(cursor, statement, rows)
    return True


def _connect(_dialect: object, _record: object, arguments: Any, options: Any) -> Any:  # noqa: ANN401 - of the driver
    from soap_handler.journal.databases.silence import Session  # noqa: PLC0415 - psycopg is installed only with the extra

    return Session.connect(*arguments, **options)


def _wait_for_answers(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - of the driver
    """Wait for the answers that a connection in use is owed."""
    connection.silence_limit = connection.usual_silence_limit


def _wait_for_sign_of_life(connection: Any, _record: object) -> None:  # noqa: ANN401 - of the driver, or None
    """Wait only briefly for the sign of life that a connection gives before it is used again."""
    if connection is not None:
        from soap_handler.journal.databases.silence import CONNECT_SECONDS  # noqa: PLC0415 - as in _connect

        connection.silence_limit = CONNECT_SECONDS


def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - a connection of the driver
    cursor = connection.cursor()
    names = ("synchronous_commit", "server_encoding", *_LIMITS)
    seconds = "extract(epoch FROM current_setting('statement_timeout')::interval)::float"
    cursor.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in names) + f", {seconds}")
    *values, limit = cursor.fetchone()
    found = dict(zip(names, values, strict=True))
    if found["server_encoding"] != _ENCODING:
        connection.close()
        raise JournalUnavailableError(
            f"the journal's database has the encoding {found['server_encoding']}; expected {_ENCODING}, because in any "
            "other some messages cannot be stored (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0)"
        )
    wanted = {name: value for name, value in _LIMITS.items() if found[name] == "0"}
    if found["synchronous_commit"] not in _DURABLE:
        wanted["synchronous_commit"] = "on"
    for name, value in wanted.items():
        cursor.execute(f"SET SESSION {name} = {value}")
    cursor.close()
    connection.commit()  # or the first roll-back would take the settings back
    own = int(wanted.get("statement_timeout", 0)) / 1000
    connection.silence_limit = connection.usual_silence_limit = (own or limit) + _SILENCE_MARGIN_SECONDS
