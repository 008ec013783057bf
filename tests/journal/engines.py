"""The engines on which the journal's tests run: SQLite in a file, and a real PostgreSQL where its programs are."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

_USER = "postgres"


class PostgreSQL:
    """A server of our own on a socket in its own folder; each test gets a fresh database in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{_USER}@/{database}?host={self._folder}"

    def database(self) -> str:
        name = f"journal_{next(self._numbers)}"
        engine = self.engine("postgres")
        try:
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
        finally:
            engine.dispose()
        return self.url(name)  # it goes with the server: dropping it would only cost time

    def engine(self, database: str) -> Engine:
        return create_engine(self.url(database), isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def wait(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                with self.engine("postgres").connect():
                    return
            except OperationalError:
                assert server.poll() is None, "PostgreSQL ended at once"
                assert time.monotonic() < deadline, "PostgreSQL did not start"
                time.sleep(0.02)  # between two polls


@contextlib.contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Start a PostgreSQL server, or skip the test with the reason why there is none."""
    programs = _programs()
    account = _USER if os.geteuid() == 0 else None  # the server refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="journal-pg-"))
    try:
        if account:
            shutil.chown(folder, account, account)
        initdb: list[str | Path] = [
            programs / "initdb",
            "-D",
            folder / "data",
            "-U",
            _USER,
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        subprocess.run(initdb, check=True, capture_output=True, user=account, group=account, cwd=folder)
        command: list[str | Path] = [
            programs / "postgres",
            "-D",
            folder / "data",
            "-k",
            folder,
            "-h",
            "",
            "-c",
            "fsync=off",
        ]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, stdout=quiet, stderr=quiet, user=account, group=account, cwd=folder) as server:
            try:
                found = PostgreSQL(folder)
                found.wait(server)
                yield found
            finally:
                server.send_signal(signal.SIGINT)  # shut down fast, without waiting for clients
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not (installed or on_path):
        pytest.skip("PostgreSQL's programs (initdb, postgres) are not on this machine")
    return installed[-1].parent if installed else Path(str(on_path)).parent


class writers_held_up:  # noqa: N801 - used as a statement
    """Hold the lock that every writer needs, so that what is submitted meanwhile queues up."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)

    def __enter__(self) -> None:
        self._connection = self._engine.connect()
        if self._engine.dialect.name == "sqlite":
            self._connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr] # it is connected
            self._connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            self._connection.exec_driver_sql("LOCK TABLE notification IN EXCLUSIVE MODE")

    def __exit__(self, *_: object) -> None:
        self._connection.exec_driver_sql("ROLLBACK")
        self._connection.close()
        self._engine.dispose()
