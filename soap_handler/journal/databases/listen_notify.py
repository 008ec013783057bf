"""LISTEN and NOTIFY of PostgreSQL: waking other processes and hosts when there is work.

A notification that is lost, or an engine that has none (SQLite), costs a polling interval and nothing else. Each NOTIFY
holds up the commits of all, so a burst of commits shares one.
"""

from __future__ import annotations

import selectors
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError

from soap_handler import telemetry
from soap_handler.background import BackgroundLoop
from soap_handler.journal.databases.pooler import say_if_few_sessions
from soap_handler.journal.databases.postgresql import is_durable, limit_silence
from soap_handler.retry import FAILED_ROUND

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

_CHANNEL: Final = "soap_handler_journal"
NOTIFY_SECONDS: Final = 0.02
"""The least time between two NOTIFY of one process."""
SILENCE_LIMIT_SECONDS: Final = 10.0
"""For an answer of the server; nothing here takes long."""
SILENCE_SECONDS: Final = 10.0
"""Without a notification, after which the connection is tested."""


def notify(connection: Connection, sender: str) -> None:
    """Wake every process that listens, except ``sender``, if and when the present transaction commits."""
    connection.exec_driver_sql("SELECT pg_notify(%s, %s)", (_CHANNEL, sender))


class Listener(BackgroundLoop):
    """A thread that hears what other processes commit and tells them of our commits, on a connection of its own.

    The connection is made again when it is lost.
    """

    def __init__(self, engine: Engine, own: str, wake: Callable[[], None]) -> None:
        """Call ``wake`` for each commit of a sender but ``own``, and after an outage, when one may be missed."""
        super().__init__("journal listener")
        self._engine = engine
        self._own = own
        self._on_commit = wake
        self._notify_pending = False  # whether the others have yet to be told of a commit
        self._notified_at = -NOTIFY_SECONDS
        self._was_connected = False
        self._wake_sender, self._wake_receiver = socket.socketpair()  # waited for together with the connection

    def tell(self) -> None:
        """Tell the others of a commit: at once, or together with the next ones if they were told just before."""
        if not self._notify_pending:
            self._notify_pending = True
            self.wake()

    def wake(self) -> None:
        """Interrupt the wait for what others commit."""
        with suppress(OSError):  # the thread has ended, and closed it
            self._wake_sender.send(b".")

    def close(self, seconds: float) -> bool:
        """End the thread, which gives back its connection; return whether it has ended within so many seconds."""
        return self.stop(seconds)

    def run(self) -> None:
        """Look once at what is before the database, then hear until told to stop."""
        with self._wake_sender, self._wake_receiver:
            try:
                say_if_few_sessions(self._engine)
            except SQLAlchemyError as error:
                telemetry.emit("journal_connection_lost", error=type(error).__name__)
            super().run()

    def round(self) -> float:
        """Connect and hear until told to stop.

        Raises:
            SQLAlchemyError, OSError: there is no connection, or it was lost.
        """
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            limit_silence(connection, SILENCE_LIMIT_SECONDS)
            if not self._was_connected and not is_durable(connection):
                telemetry.emit("journal_not_durable", reason="PostgreSQL runs with fsync = off")
            connection.exec_driver_sql(f"LISTEN {_CHANNEL}")
            if self._was_connected:
                self._on_commit()
            self.failures, self._was_connected = 0, True
            try:
                self._hear_notices(connection)
            finally:
                connection.invalidate()  # from the pool, its next user would hear in our place
        return 0.0

    def failed(self, error: Exception) -> float:
        """Log the failure and back off."""
        if isinstance(error, SQLAlchemyError | OSError):
            seconds = FAILED_ROUND.longest(self.failures)
            telemetry.emit("journal_listener_lost", error=type(error).__name__, seconds=seconds)
            return seconds
        telemetry.emit("journal_listener_broke", error=type(error).__name__, exc_info=error)
        return FAILED_ROUND.cap

    def _hear_notices(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        while not self.stopping.is_set():
            if self._notify_pending:
                self._wait(max(0.0, self._notified_at + NOTIFY_SECONDS - time.monotonic()))
                self._notify_pending = False
                notify(connection, self._own)
                self._notified_at = time.monotonic()
            elif not self._wait(SILENCE_SECONDS, driver):
                connection.exec_driver_sql("SELECT 1")
            elif any(notice.payload != self._own for notice in _notices(driver)):
                self._on_commit()

    def _wait(self, seconds: float, *others: Any) -> bool:  # noqa: ANN401 - anything with a file descriptor
        """Wait until one of the others can be read or :meth:`wake` is called; return whether that came in time."""
        with selectors.DefaultSelector() as selector:
            for source in (self._wake_receiver, *others):
                selector.register(source, selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select(seconds)]
        if self._wake_receiver in ready:
            self._wake_receiver.recv(4096)
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
