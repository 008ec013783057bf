"""Databases with a history: each is filled once in a run of the benchmark, and copied for each burst."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sqlalchemy import make_url

from tests.bench import books, processes
from tests.support.postgresql import PostgreSQL, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.candidates import Candidate

_MADE: Final = "import sys; from soap_handler.journal import Journal; Journal(sys.argv[1]).close()"


class Journals:
    """A context manager; what it made is gone afterwards."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._all = ExitStack()
        self._made: dict[tuple[str, Path | None, int], str] = {}
        self._numbers = itertools.count()
        self._server: PostgreSQL | None = None

    def __enter__(self) -> Self:
        self._folder = Path(self._all.enter_context(tempfile.TemporaryDirectory()))
        return self

    def __exit__(self, *_: object) -> None:
        self._all.close()

    def sqlite(self, folder: Path, candidate: Candidate, rows: int) -> str:
        """Return the URL of a journal in a folder, with so many notifications done."""
        if rows:
            _copy(self._template("sqlite", candidate, rows), folder / "journal.db")
        return f"sqlite:///{folder}/journal.db"

    def plain(self, folder: Path, rows: int) -> Path:
        """Return the file of the plain server in a folder, with so many messages."""
        file = folder / "plain.db"
        if rows:
            _copy(self._template("plain", None, rows), file)
        return file

    def postgresql(self, candidate: Candidate, rows: int) -> str:
        """Return the URL of a database with so many notifications done, in a server that serves the whole run."""
        server = self._postgresql()
        if not rows:
            return server.database()
        name = f"filled_{next(self._numbers)}"
        template = self._template("postgresql", candidate, rows)
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return server.url(name)

    def drop(self, url: str) -> None:
        """Give back the space of a database on PostgreSQL; a file goes with its folder."""
        if url.startswith("postgresql"):
            self._postgresql().execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def _postgresql(self) -> PostgreSQL:
        if self._server is None:
            self._server = self._all.enter_context(running(PostgreSQL))
        return self._server

    def _template(self, engine: str, candidate: Candidate | None, rows: int) -> str:
        """Return the file or the name of a database, filled at the first call."""
        key = (engine, candidate.tree if candidate else None, rows)
        if key not in self._made:
            self._told(f"filling a database with {rows:,} rows: {engine}, {candidate.name if candidate else 'plain'}")
            self._made[key] = self._fill(engine, candidate, rows, f"template_{next(self._numbers)}")
        return self._made[key]

    def _fill(self, engine: str, candidate: Candidate | None, rows: int, name: str) -> str:
        url = self._postgresql().database(name) if engine == "postgresql" else f"sqlite:///{self._folder}/{name}"
        if candidate is None:
            with processes.script("tests.bench.plain", str(self._folder / name)):
                pass  # it makes its table
            books.fill_plain(url, rows)
        else:
            candidate.run(_MADE, url)
            books.fill(url, rows)
        return name if engine == "postgresql" else str(self._folder / name)


def _copy(template: str, file: Path) -> None:
    """Copy a file onto the disk: what the system has yet to write would hold up the commits that are measured."""
    shutil.copyfile(template, file)
    with file.open("rb+") as copy:
        os.fsync(copy.fileno())
