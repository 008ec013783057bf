"""Waking other processes and hosts when there is work: LISTEN and NOTIFY of PostgreSQL. What they do then is theirs.

A notification that is lost, or an engine that has none (SQLite), costs a polling interval and nothing else. In a burst
not every commit is told, since each NOTIFY holds up the commits of all, but many by one word a little later.
"""

from __future__ import annotations

import selectors
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError

from soap_handler import telemetry
from soap_handler.journal.engine import can_send, is_durable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

_CHANNEL: Final = "soap_handler_journal"
_FIRST_PAUSE: Final = 0.2  # seconds until a lost connection is tried again; each further pause is twice as long
_LONGEST_PAUSE: Final = 5.0
OFTEN: Final = 0.02
"""Seconds within which nobody needs to be told twice."""
_SILENCE: Final = 10.0  # seconds without a word after which the connection is tried


def can_wake(engine: Engine) -> bool:
    """Whether others on this database can be woken: on PostgreSQL, with the driver that can listen."""
    return can_send(engine)


def notify(connection: Connection, sender: str) -> None:
    """Wake everybody who listens, except ``sender``, if and when the present transaction commits."""
    connection.exec_driver_sql("SELECT pg_notify(%s, %s)", (_CHANNEL, sender))


class Listener:
    """Hears what others commit, in a thread with a connection of its own, which is made again when it is lost."""

    def __init__(self, engine: Engine, own: str, wake: Callable[[], None]) -> None:
        """Call ``wake`` for what anybody but ``own`` commits, and after an outage, when something may be missed."""
        self._engine = engine
        self._own = own
        self._wake = wake
        self._owing = False
        self._stopping = False
        self._bell, self._ear = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="journal listener", daemon=True)
        self._thread.start()

    def tell(self) -> None:
        """Tell the others in a moment that something was committed, once for all that is committed until then."""
        if not self._owing:
            self._owing = True
            self._bell.send(b".")

    def close(self) -> None:
        """End the thread and give back its connection."""
        self._stopping = True
        self._bell.send(b".")
        self._thread.join()
        self._bell.close()
        self._ear.close()

    def _run(self) -> None:
        pause, missed = _FIRST_PAUSE, False
        while not self._stopping:
            try:
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    if not missed and not is_durable(connection):
                        telemetry.emit("journal_not_durable", reason="PostgreSQL runs with fsync = off")
                    connection.exec_driver_sql(f"LISTEN {_CHANNEL}")
                    if missed:
                        self._wake()
                    pause, missed = _FIRST_PAUSE, True
                    try:
                        self._hear(connection)
                    finally:
                        connection.invalidate()  # the next one who got it from the pool would hear in our place
            except (SQLAlchemyError, OSError) as error:
                telemetry.emit("journal_listener_lost", error=type(error).__name__, seconds=pause)
                self._wait(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            except Exception as error:  # noqa: BLE001 - what was woken must not end the one who wakes
                telemetry.emit("journal_listener_broke", error=type(error).__name__, exc_info=True)
                self._wait(_LONGEST_PAUSE)

    def _hear(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        while not self._stopping:
            if self._owing:
                self._wait(OFTEN)
                self._owing = False
                notify(connection, self._own)
            elif not self._wait(_SILENCE, driver):
                connection.exec_driver_sql("SELECT 1")
            elif any(notice.payload != self._own for notice in _notices(driver)):
                self._wake()

    def _wait(self, seconds: float, *others: Any) -> bool:  # noqa: ANN401 - anything with a file descriptor
        """Wait until something can be read from others, or somebody rings; return whether that came in time."""
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
