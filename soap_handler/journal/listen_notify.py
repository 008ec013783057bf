"""Waking other processes and hosts when there is work: LISTEN and NOTIFY of PostgreSQL. What they do then is theirs.

A notification that is lost, or an engine that has none (SQLite), costs a polling interval and nothing else. In a burst
not every commit is told, since each NOTIFY holds up the commits of all, but many by one word a little later.
"""

from __future__ import annotations

import selectors
import socket
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError

from soap_handler import telemetry
from soap_handler.background import BackgroundLoop
from soap_handler.journal.engine import can_send, is_durable
from soap_handler.retry import FAILED_ROUND

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

_CHANNEL: Final = "soap_handler_journal"
OFTEN: Final = 0.02
"""Seconds within which nobody needs to be told twice."""
_SILENCE: Final = 10.0  # seconds without a word after which the connection is tried


def can_wake(engine: Engine) -> bool:
    """Whether others on this database can be woken: on PostgreSQL, with the driver that can listen."""
    return can_send(engine)


def notify(connection: Connection, sender: str) -> None:
    """Wake everybody who listens, except ``sender``, if and when the present transaction commits."""
    connection.exec_driver_sql("SELECT pg_notify(%s, %s)", (_CHANNEL, sender))


class Listener(BackgroundLoop):
    """Hears what others commit, over a connection of its own, which is made again when it is lost."""

    def __init__(self, engine: Engine, own: str, wake: Callable[[], None]) -> None:
        """Call ``wake`` for what any other than ``own`` commits, and after an outage, when something may be missed."""
        super().__init__("journal listener")
        self._engine = engine
        self._own = own
        self._on_commit = wake
        self._owing = False  # whether the others have yet to be told of a commit
        self._was_connected = False
        self._bell, self._ear = socket.socketpair()  # to be waited for together with the connection

    def tell(self) -> None:
        """Tell the others in a moment that something was committed, once for all that is committed until then."""
        if not self._owing:
            self._owing = True
            self.wake()

    def wake(self) -> None:
        """Interrupt the wait for what others commit."""
        self._bell.send(b".")

    def close(self) -> None:
        """End the thread and give back its connection."""
        self.stop()
        self._bell.close()
        self._ear.close()

    def round(self) -> float:
        """Connect and hear until told to stop.

        Raises:
            SQLAlchemyError, OSError: there is no connection, or it was lost.
        """
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not self._was_connected and not is_durable(connection):
                telemetry.emit("journal_not_durable", reason="PostgreSQL runs with fsync = off")
            connection.exec_driver_sql(f"LISTEN {_CHANNEL}")
            if self._was_connected:
                self._on_commit()
            self.failures, self._was_connected = 0, True
            try:
                self._hear(connection)
            finally:
                connection.invalidate()  # from the pool, its next user would hear in our place
        return 0.0

    def failed(self, error: Exception) -> float:
        """Tell of it and back off."""
        if isinstance(error, SQLAlchemyError | OSError):
            seconds = FAILED_ROUND.longest(self.failures)
            telemetry.emit("journal_listener_lost", error=type(error).__name__, seconds=seconds)
            return seconds
        telemetry.emit("journal_listener_broke", error=type(error).__name__, exc_info=error)
        return FAILED_ROUND.cap

    def _hear(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        while not self.stopping.is_set():
            if self._owing:
                self._wait(OFTEN)
                self._owing = False
                notify(connection, self._own)
            elif not self._wait(_SILENCE, driver):
                connection.exec_driver_sql("SELECT 1")
            elif any(notice.payload != self._own for notice in _notices(driver)):
                self._on_commit()

    def _wait(self, seconds: float, *others: Any) -> bool:  # noqa: ANN401 - anything with a file descriptor
        """Wait until one of the others can be read or :meth:`wake` is called; return whether that came in time."""
        with selectors.DefaultSelector() as selector:
            for source in (self._ear, *others):
                selector.register(source, selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select(seconds)]
        if self._ear in ready:
            self._ear.recv(4096)
        return bool(ready)


def _notices(driver: Any) -> list[Any]:  # noqa: ANN401 - a connection of psycopg
    """Return what has arrived.

    Raises:
        OSError: the connection is lost.
    """
    from psycopg import Error  # noqa: PLC0415 - installed only with the extra

    try:
        return list(driver.notifies(timeout=0))
    except Error as error:
        raise OSError(f"{type(error).__name__}") from error
