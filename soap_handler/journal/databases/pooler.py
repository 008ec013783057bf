"""Pooler: whether something between the service and PostgreSQL (PgBouncer) shares sessions, or has too few of them.

The journal sets limits and durability for a session and listens in one. A pooler in transaction mode gives each
transaction any session, so those settings reach others and are missing where they are needed.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from soap_handler import telemetry
from soap_handler.errors import JournalUnavailableError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

SESSIONS: Final = 5
"""How many sessions a process of the service holds, besides one for each transactional handler that is running."""
_SHARED: Final = (
    "the journal's database is reached through a pooler that shares sessions between transactions; "
    "expected a direct connection, or a pooler in session mode (PgBouncer: pool_mode = session)"
)
_LOOKS: Final = 3  # other users of the pooler may have had the session that we look for


def refuse_shared_sessions(engine: Engine) -> None:
    """Refuse a database that is reached through a pooler which shares sessions.

    Raises:
        JournalUnavailableError: it is.
    """
    if shares_sessions(engine):
        raise JournalUnavailableError(_SHARED)


def say_if_few_sessions(engine: Engine) -> None:
    """Emit an event where a pooler gives us fewer sessions than the service holds."""
    found = sessions_available(engine)
    if found < SESSIONS:
        telemetry.emit("journal_pool_small", sessions=found, needed=SESSIONS)


def shares_sessions(engine: Engine) -> bool:
    """Whether two connections at a time, or two transactions of one, may have any session of the server.

    A server that is reached directly is asked one short question.
    """
    with engine.connect() as first:
        if not _is_pooled(first):
            return False
        try:
            with engine.connect() as second:
                looks = [(_session(first), _session(second)) for _ in range(_LOOKS)]
        except DBAPIError:
            return False  # the pooler has no second session for us: it keeps the first one
    firsts, seconds = ({*each} for each in zip(*looks, strict=True))
    return bool(firsts & seconds) or len(firsts | seconds) > len(looks[0])


def sessions_available(engine: Engine, wanted: int = SESSIONS) -> int:
    """Return how many sessions a pooler gives us at once, ``wanted`` at most; a server itself is not tried.

    Takes some seconds where there are too few.
    """
    with ExitStack() as open_ones:
        for number in range(wanted):
            try:
                connection = open_ones.enter_context(engine.connect())
                if not number and not _is_pooled(connection):
                    return wanted
                _session(connection)
            except DBAPIError:
                return number
    return wanted


def _is_pooled(connection: Connection) -> bool:
    """Whether the process that the driver was told of is not the one that answers."""
    driver: Any = connection.connection.driver_connection
    return bool(driver.info.backend_pid != _session(connection))


def _session(connection: Connection) -> int:
    """Return the process of the server that answers, in a transaction of its own."""
    number = int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
    connection.rollback()
    return number
