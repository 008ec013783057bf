"""The PostgreSQL server of a campaign: reached over TCP, it can be stopped, frozen, and told to cut connections."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Final, Self

from sqlalchemy import text

from tests.campaigns.figures import PromiseBrokenError, SkippedError, TooLateError
from tests.campaigns.service import free_port
from tests.support import postgresql

if TYPE_CHECKING:
    from pathlib import Path


_SESSIONS: Final = "FROM pg_stat_activity WHERE datname = 'journal'"
_IDLE_SECONDS: Final = 10.0  # within which there is a moment without a transaction
_NEXT_TRY_SECONDS: Final = 0.02


class PostgreSQL(postgresql.PostgreSQL):
    """A context manager: entering it makes and starts the server, with an empty database ``journal`` in it."""

    def __init__(self, folder: Path) -> None:
        try:
            super().__init__(folder / "postgresql", port=free_port())
        except postgresql.NoPostgreSQLError as reason:
            raise SkippedError(str(reason)) from None

    def __enter__(self) -> Self:
        self.folder.mkdir()
        self.make()
        self.start()
        self.database("journal")
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        self.stop(signal.SIGQUIT)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        try:
            super().start()
        except postgresql.NotStartedError as error:
            raise PromiseBrokenError(f"PostgreSQL did not start:\n{error}") from error

    def freeze_idle_sessions(self) -> None:
        """Stop the sessions of the journal at a moment when none is at work: new ones are served as ever.

        One that is stopped in the midst of a commit may hold a lock that each commit on the server needs.
        """
        deadline = time.monotonic() + _IDLE_SECONDS
        while self.freeze_sessions():
            self.thaw()
            if time.monotonic() > deadline:
                raise TooLateError("the sessions of the journal are never idle")
            time.sleep(_NEXT_TRY_SECONDS)

    def freeze_sessions(self) -> int:
        """Stop the sessions of the journal where they are; return how many of them are at work."""
        with self.engine("postgres").connect() as connection:
            for process in connection.scalars(text(f"SELECT pid {_SESSIONS}")):
                _signal(process, signal.SIGSTOP)
            return int(connection.scalar(text(f"SELECT count(*) {_SESSIONS} AND state <> 'idle'")) or 0)

    def freeze(self) -> None:
        """Stop every process of the server where it is: connections stay open, and nothing answers."""
        for process in self.processes:
            _signal(process, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        for process in self.processes:
            _signal(process, signal.SIGCONT)

    def cut_connections(self) -> None:
        """Let the server end every connection to the journal."""
        self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'journal'")


def _signal(process: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # a connection's process ends with it
        os.kill(process, what)
