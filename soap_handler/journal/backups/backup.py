"""Backup: a verified copy of the journal while it is in use. ``restore`` puts one back; ``pg_tools`` is for PostgreSQL.

SQLite's online backup API copies within one read transaction: a consistent snapshot that holds up no writer. The copy
is one file without a write-ahead log, so that nothing beside it can be forgotten.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import make_url

from soap_handler import whole_file
from soap_handler.errors import BackupError
from soap_handler.journal.databases.journal_files import file_of
from soap_handler.journal.databases.sqlite import BUSY_TIMEOUT_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    Show = Callable[[int, int], None]

PAGES_PER_STEP: Final = 1024
"""Pages that are copied at once, 4 MiB: Ctrl-C is obeyed between two steps."""
SQLITE_SUFFIXES: Final = ("-wal", "-shm", "-journal")
"""Suffixes of the files that SQLite keeps beside a database."""
_EXISTS: Final = "{} exists already; expected another name, or --force"
_COUNTED: Final = "notification"  # the table whose rows are counted by state; of the others all rows


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that is on disk, and what was found in it."""

    file: Path
    size: int
    """In bytes."""
    revision: str
    """Of its tables."""
    states: dict[str, int]
    """How many notifications there are in each state."""
    latest: int | None
    """When the latest one was received, in microseconds since 1970."""

    @property
    def notifications(self) -> int:
        """All of them."""
        return sum(self.states.values())


def journal_file(url: str) -> Path:
    """Return the file of the SQLite journal at a URL, behind any links.

    Raises:
        JournalUnavailableError: it names no file.
    """
    return Path(file_of(make_url(url))).resolve()


def back_up(url: str, file: Path, show: Show = lambda _left, _total: None, *, force: bool = False) -> Backup:
    """Copy the SQLite journal at a URL into a file, which is there whole and on disk, or not at all.

    ``show`` is told now and then how many of how many pages are left.

    Raises:
        BackupError: the file is there already and there is no ``force``, it is the journal itself, the journal is
            damaged, or the copy is not equal to it.
        JournalUnavailableError: the URL names no file.
        OSError: a file cannot be read or written.
    """
    journal, target = journal_file(url), file.absolute()
    _refuse_target(target, journal, force=force)
    if not journal.is_file():
        raise BackupError(f"there is no journal at {journal}")
    with whole_file.temporary_beside(target, more=SQLITE_SUFFIXES) as copy:
        try:
            with closing(connect(journal)) as source, closing(connect(copy)) as made:
                expected = _copy(source, made, show)
            found = verify(copy)
            described = describe(copy, target)
        except (sqlite3.Error, TypeError) as error:  # TypeError: the table of the revision is empty
            raise BackupError(f"the journal at {journal} could not be copied: {error}") from error
        if found != expected:
            raise BackupError(f"the copy of {journal} holds {found}, the journal {expected}; nothing was kept of it")
        try:
            whole_file.place(copy, target, overwrite=force)
        except FileExistsError:
            raise BackupError(_EXISTS.format(target)) from None
    return described


def _refuse_target(target: Path, journal: Path, *, force: bool) -> None:
    own = {journal, *(journal.with_name(f"{journal.name}{suffix}") for suffix in ("-wal", "-shm"))}
    if target.resolve() in own or any(each.exists() and target.exists() and each.samefile(target) for each in own):
        raise BackupError(f"{target} is the journal itself; expected another file")
    if target.is_dir():
        raise BackupError(f"{target} is a folder; expected the name of a file in it")
    if not target.parent.is_dir():
        raise BackupError(f"there is no folder {target.parent}; expected one for the copy")
    if target.exists() and not force:
        raise BackupError(_EXISTS.format(target))


def connect(file: Path) -> sqlite3.Connection:
    """Open a file of SQLite that is there; its write-ahead log, if there is one beside it, counts."""
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    return connection


def _copy(source: sqlite3.Connection, made: sqlite3.Connection, show: Show) -> dict[str, int]:
    """Copy one snapshot; return how many rows each of its tables has.

    The transaction that is open on the source is the snapshot of every step: without it, each write of the service
    would begin the copy anew.
    """
    source.execute("BEGIN")
    rows = count(source)
    source.backup(made, pages=PAGES_PER_STEP, progress=lambda _status, left, total: show(left, total))
    source.execute("COMMIT")
    made.execute("PRAGMA journal_mode = DELETE")  # the header says WAL, as that of the source; a log would be made
    return rows


def count(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many rows each table has."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    tables = sorted(name for (name,) in names.fetchall())
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}  # noqa: S608 - of the file's own list


def verify(file: Path) -> dict[str, int]:
    """Return how many rows each table of a copy has, after a look at all of it.

    Raises:
        BackupError: it is damaged.
        sqlite3.DatabaseError: it is no database.
    """
    with closing(connect(file)) as connection:
        problems = [line for (line,) in connection.execute("PRAGMA integrity_check(3)")]
        if problems != ["ok"]:
            raise BackupError(f"{file} is damaged: {'; '.join(problems)}")
        return count(connection)


def describe(file: Path, shown_as: Path | None = None) -> Backup:
    """Return what a sound copy holds.

    Raises:
        sqlite3.Error: it is no journal.
    """
    with closing(connect(file)) as connection:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        states = connection.execute(f"SELECT state, count(*) FROM {_COUNTED} GROUP BY state ORDER BY state").fetchall()  # noqa: S608 - a constant
        (latest,) = connection.execute(
            f"SELECT received_at FROM {_COUNTED} ORDER BY seq DESC LIMIT 1"  # noqa: S608 - a constant
        ).fetchone() or (None,)
    return Backup(shown_as or file, file.stat().st_size, revision, dict(states), latest)
