"""A PostgreSQL server of a campaign's own, which can be stopped, frozen, restarted, and told to cut connections."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from .figures import PromiseBrokenError, SkippedError
from .service import free_port

if TYPE_CHECKING:
    from sqlalchemy import Engine

_USER: Final = "postgres"
_CUT: Final = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'journal'")


class PostgreSQL:
    """A context manager: entering it makes and starts the server, with an empty database ``journal`` in it."""

    def __init__(self, folder: Path) -> None:
        self._programs = _programs()
        self._account = _USER if os.geteuid() == 0 else None  # the server refuses to run as root
        self._folder = folder / "postgresql"
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self.url = self._url("journal")

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{self._port}/{database}"

    def __enter__(self) -> Self:
        self._folder.mkdir()
        if self._account:
            shutil.chown(self._folder, self._account, self._account)
        self._call("initdb", "-D", "data", "-U", _USER, "--auth=trust", "--no-sync", "-E", "UTF8")
        self.start()
        with self._engine().connect() as connection:
            connection.execute(text("CREATE DATABASE journal"))
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        self.stop(signal.SIGQUIT)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command: list[str | Path] = [self._programs / "postgres", "-D", "data", "-k", self._folder, "-h", "127.0.0.1"]
        command += ["-p", str(self._port)]
        with (self._folder / "log.txt").open("ab") as log:
            self._server = subprocess.Popen(
                command, stdout=log, stderr=log, user=self._account, group=self._account, cwd=self._folder
            )
        deadline = time.monotonic() + 30
        while not self._answers():
            if time.monotonic() > deadline or self._server.poll() is not None:
                raise PromiseBrokenError(f"PostgreSQL did not start:\n{(self._folder / 'log.txt').read_text()[-1000:]}")
            time.sleep(0.02)  # between two polls

    def stop(self, how: signal.Signals) -> None:
        """Stop the server: ``SIGQUIT`` is immediate, as a crash of it; ``SIGINT`` is fast, as an operator does."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(60)

    def freeze(self) -> None:
        """Stop every process of the server where it is: connections stay open, and nothing answers."""
        for process in self._processes():
            _signal(process, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        for process in self._processes():
            _signal(process, signal.SIGCONT)

    def cut_connections(self) -> None:
        """Let the server end every connection to the journal."""
        with self._engine().connect() as connection:
            connection.execute(_CUT)

    def _processes(self) -> list[int]:
        if self._server is None or self._server.poll() is not None:
            return []
        children = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children").read_text().split()
        return [self._server.pid, *map(int, children)]

    def _answers(self) -> bool:
        try:
            with self._engine().connect():
                return True
        except OperationalError:
            return False

    def _engine(self) -> Engine:
        return create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            check=True, capture_output=True, user=self._account, group=self._account, cwd=self._folder,
        )  # fmt: skip


def _signal(process: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # a connection's process ends with it
        os.kill(process, what)


def _programs() -> Path:
    if importlib.util.find_spec("psycopg") is None:
        raise SkippedError("psycopg is not installed")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not (installed or on_path):
        raise SkippedError("PostgreSQL's programs (initdb, postgres) are not on this machine")
    return installed[-1].parent if installed else Path(str(on_path)).parent
