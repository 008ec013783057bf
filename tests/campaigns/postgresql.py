"""The PostgreSQL server of a campaign: reached over TCP, it can be stopped, frozen, and told to cut connections."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Self

from sqlalchemy import text

from tests.campaigns.figures import PromiseBrokenError, SkippedError
from tests.campaigns.service import free_port
from tests.support import postgresql

if TYPE_CHECKING:
    from pathlib import Path


class PostgreSQL(postgresql.PostgreSQL):
    """A context manager: entering it makes and starts the server, with an empty database ``journal`` in it."""

    def __init__(self, folder: Path) -> None:
        try:
            super().__init__(folder / "postgresql", port=free_port())
        except postgresql.NoPostgreSQLError as reason:
            raise SkippedError(str(reason)) from None

    def __enter__(self) -> Self:
        self._folder.mkdir()
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

    def freeze_sessions(self) -> None:
        """Stop the sessions of the journal where they are; new ones can be opened."""
        query = text("SELECT pid FROM pg_stat_activity WHERE datname = 'journal'")
        with self.engine("postgres").connect() as connection:
            for process in connection.scalars(query):
                _signal(process, signal.SIGSTOP)

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
