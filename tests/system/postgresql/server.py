"""A PostgreSQL server that can be stopped and started, and a line to it that can be cut at the worst moment."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from typing import TYPE_CHECKING

from sqlalchemy import text

from tests.journal.engines import skip_without_postgresql
from tests.support.postgresql import PostgreSQL, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from soap_handler.journal import Journal

_ASKING = True  # the direction from the client to the server


def listeners(journal: Journal) -> int:
    """Return how many sessions of the database listen."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    return journal.read(lambda connection: int(connection.execute(text(query)).scalar_one()))


class StoppableServer(PostgreSQL):
    """A server whose commits wait for the disk."""

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it, as ``pg_ctl stop -m immediate`` does: nothing is finished, and recovery follows."""
        super().stop(how)

    def cut_connections(self) -> None:
        """End every session but our own."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname <> ''"
        )

    @property
    def socket_path(self) -> str:
        return str(self.folder / ".s.PGSQL.5432")


@contextlib.contextmanager
def stoppable_server() -> Iterator[StoppableServer]:
    skip_without_postgresql()
    with running(StoppableServer) as server:
        yield server


class Line:
    """Stands between a client and the server, and can lose the answer to a COMMIT that the server carried out."""

    def __init__(self, folder: Path, server: StoppableServer) -> None:
        self._server = server.socket_path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self.lose_next_commit = False
        self.lost = 0
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for each in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for each in [self._listener, *self._open]:
            each.close()

    def _start(self, *work: object) -> None:
        function, *arguments = work
        thread = threading.Thread(target=function, args=arguments)  # type: ignore[arg-type] # the first is callable
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._open += [client, server]
                losing = threading.Event()
                self._start(self._pass, client, server, losing, _ASKING)
                self._start(self._pass, server, client, losing, not _ASKING)

    def _pass(self, source: socket.socket, target: socket.socket, losing: threading.Event, asking: bool) -> None:  # noqa: FBT001 - private
        with contextlib.suppress(OSError):
            while told := source.recv(65536):
                if asking and self.lose_next_commit and b"COMMIT" in told:
                    self.lose_next_commit = False
                    losing.set()
                if not asking and losing.is_set():  # the server has carried it out, and nobody will hear of it
                    self.lost += 1
                    break
                target.sendall(told)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
