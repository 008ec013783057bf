"""A PostgreSQL server of our own in a folder of its own: made, started, ended. What is done to it is not here."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from soap_handler.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

_USER: Final = "postgres"
_EMPTY: Final = "empty_journal"

FIRST: Final = "FIRST_POSTGRESQL"
"""The variable of the environment that names the folder for the files of a run's first server, where there is one."""


class NoPostgreSQLError(Exception):
    """PostgreSQL is not on this machine; the text says what is missing."""


class NotStartedError(Exception):
    """The server did not start; the text is the end of what it wrote."""


class PostgreSQL:
    """A server on a socket in its own folder, or on a port of 127.0.0.1; any number of fresh databases in it."""

    def __init__(self, folder: Path, *, port: int | None = None, durable: bool = True) -> None:
        """``folder`` is there; nothing else is in it. Without ``durable``, nothing waits for the disk.

        Raises:
            NoPostgreSQLError: its programs or its driver are not on this machine.
        """
        self._programs = programs()
        self.account = _USER if os.geteuid() == 0 else None  # the server refuses to run as root
        """Whose processes the server's are, if not ours."""
        self.folder = folder
        """Where its files are, and its socket."""
        self._port = port
        self._fsync = "on" if durable else "off"
        self._numbers = itertools.count(1)
        self._copied: str | None = None
        """How a database becomes a copy of the one with an empty journal, when there is that."""
        self._process: subprocess.Popen[bytes] | None = None

    # -- its life ----------------------------------------------------------------------------------------------------

    def make(self) -> None:
        """Make its files: those of the first server of a run of tests are copied for the others."""
        if self.account:
            shutil.chown(self.folder, self.account, self.account)
        if FIRST not in os.environ:
            self._make_anew()
            return
        first = Path(os.environ[FIRST])
        with (first / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (first / "data").exists():
                self._make_anew()
                _copy(self.folder / "data", first / "half")
                (first / "half").rename(first / "data")
                return
        _copy(first / "data", self.folder / "data")

    def _make_anew(self) -> None:
        subprocess.run(
            [self._programs / "initdb", "-D", "data", "-U", _USER, "--auth=trust", "--no-sync", "-E", "UTF8"],
            check=True, capture_output=True, user=self.account, group=self.account, cwd=self.folder,
        )  # fmt: skip

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            NotStartedError: it ended, or did not answer in 30 seconds.
        """
        command: list[str | Path] = [self._programs / "postgres", "-D", "data", "-k", self.folder]
        command += ["-c", f"fsync={self._fsync}"]  # synchronous_commit is on unless somebody asks otherwise
        command += ["-h", ""] if self._port is None else ["-h", "127.0.0.1", "-p", str(self._port)]
        with (self.folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, user=self.account, group=self.account, cwd=self.folder
            )
        deadline = time.monotonic() + 30
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise NotStartedError((self.folder / "log.txt").read_text()[-1000:])
            time.sleep(0.02)  # between two polls

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: ``SIGINT`` is fast, as an operator does it; ``SIGQUIT`` is immediate, as a crash of it."""
        self._owner.dispose()
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)

    @property
    def processes(self) -> list[int]:
        """The process ids of the server and of its connections, while it runs."""
        if self._process is None or self._process.poll() is not None:
            return []
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return [self._process.pid, *map(int, children)]

    def _answers(self) -> bool:
        engine = self.engine("postgres")
        try:
            with engine.connect():
                return True
        except OperationalError:
            return False

    # -- its databases -----------------------------------------------------------------------------------------------

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        if self._port is None:
            return f"postgresql+psycopg://{_USER}@/{database}?host={self.folder}"
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{self._port}/{database}"

    def database(self, name: str | None = None) -> str:
        """Make an empty database and return its URL. It goes with the server: dropping it would only cost time."""
        name = name or f"journal_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def empty_journal(self) -> str:
        """Make a database with an empty journal in it and return its URL: a copy costs less than its tables."""
        if self._copied is None:
            Journal(self.database(_EMPTY)).close()
            with self._owner.connect() as connection:
                version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
            as_files = " STRATEGY FILE_COPY" if version >= 15_00_00 else ""  # before 15 it was the only one
            self._copied = f"TEMPLATE {_EMPTY}{as_files}"
        name = f"journal_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} {self._copied}")
        return self.url(name)

    def execute(self, statement: str) -> None:
        """Execute a statement as the server's owner, outside any transaction."""
        with self._owner.connect() as connection:
            connection.execute(text(statement))

    @functools.cached_property
    def _owner(self) -> Engine:
        """One connection for all statements: a server takes as long for a new one as for some of them."""
        return create_engine(
            self.url("postgres"), isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=0, pool_pre_ping=True
        )

    def engine(self, database: str) -> Engine:
        """Return an engine that keeps no connection, and commits each statement."""
        return create_engine(self.url(database), isolation_level="AUTOCOMMIT", poolclass=NullPool)


def _copy(folder: Path, to: Path) -> None:
    subprocess.run(["cp", "-a", folder, to], check=True)  # it keeps owners and modes, on which the server insists


_Server = TypeVar("_Server", bound=PostgreSQL)


@contextlib.contextmanager
def running(build: Callable[[Path], _Server]) -> Iterator[_Server]:
    """Run the server that ``build`` gives for a folder, in a folder that goes with it.

    Raises:
        NoPostgreSQLError: it is not on this machine.
    """
    folder = Path(tempfile.mkdtemp(prefix="journal-pg-"))
    try:
        server = build(folder)
        server.make()
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def programs() -> Path:
    """Return the folder of PostgreSQL's programs, the latest of several.

    Raises:
        NoPostgreSQLError: they, or the driver, are not on this machine.
    """
    if importlib.util.find_spec("psycopg") is None:
        raise NoPostgreSQLError("psycopg is not installed")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not (installed or on_path):
        raise NoPostgreSQLError("PostgreSQL's programs (initdb, postgres) are not on this machine")
    return installed[-1].parent if installed else Path(str(on_path)).parent
