"""Restore: puts a copy in the place of the SQLite journal, and keeps the one that was there."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from soap_handler import clock, whole_file
from soap_handler.errors import BackupError, SchemaError
from soap_handler.journal.backups.backup import (
    SQLITE_SUFFIXES,
    Backup,
    connect,
    describe,
    journal_file,
    verify,
)
from soap_handler.journal.migrate import HEAD, is_known

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WAIT_MS: Final = 1000  # for another command that is just looking into the journal
_WAL_HEADER: Final = b"\x02\x02"  # bytes 18 and 19 of a file whose changes go to a write-ahead log
_MAGIC: Final = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back, and what follows."""

    backup: Backup
    kept: Path | None
    """Where the journal is now that was there; ``None`` where there was none."""
    missing: int | None
    """How many notifications that one has which the copy has not; ``None`` where it cannot be read."""
    again: int | None
    """How many are handled there and not in the copy, so that they are handled once more."""
    erasures: int | None
    """How many erasures that one has on record and the copy has not: what they removed may be back."""


def restore(url: str, file: Path, *, without_log: bool = False) -> Restored:
    """Put a copy in the place of the SQLite journal at a URL; the copy itself stays as it is.

    ``without_log``: take a main file whose write-ahead log is not beside it.

    Raises:
        BackupError: a service holds the journal, or the copy is damaged, no journal, or lacks its log.
        SchemaError: the copy is of a newer release.
        JournalUnavailableError: the URL names no file.
        OSError: a file cannot be read or written.
    """
    journal, source = journal_file(url), file.resolve()
    if journal.exists() and source.exists() and journal.samefile(source):
        raise BackupError(f"{file} is the journal itself; expected a copy of it")
    if not (without_log or source.with_name(f"{source.name}-wal").exists()):
        refuse_without_log(source, file)
    with whole_file.temporary_beside(journal, more=SQLITE_SUFFIXES) as copy:
        found = _prepare(source, copy, file)
        with _held(journal):
            missing, again, erasures = _compare(journal, copy)
            _take_over_rights(journal, copy)
            whole_file.sync(copy)
            kept = _swap(copy, journal)
    return Restored(found, kept, missing, again, erasures)


def refuse_without_log(source: Path, shown_as: Path) -> None:
    """Recognise the journal's main file without the write-ahead log that lay beside it.

    Its header says that changes go to a log, and there is none. A copy of ``journal backup`` never says so. Where the
    file was copied after the service had ended, the log was empty and nothing is missing; nothing in the file tells.

    Raises:
        BackupError: it is one, or no database at all.
    """
    with source.open("rb") as opened:
        head = opened.read(100)
    if not head.startswith(_MAGIC):
        raise BackupError(f"{shown_as} is no file of SQLite; expected a copy that soap-handler journal backup made")
    if head[18:20] == _WAL_HEADER:
        raise BackupError(
            f"{shown_as} is a journal's main file without its write-ahead log ({source.name}-wal): what was committed "
            "last may be in the log alone, and missing here. Put the log beside it. If no service ran while it was "
            "copied, nothing is missing: then give --without-log"
        )


def _prepare(source: Path, copy: Path, shown_as: Path) -> Backup:
    """Copy the copy, with its log, to beside the journal; return what it holds after a look at all of it."""
    shutil.copyfile(source, copy)
    log = source.with_name(f"{source.name}-wal")
    if log.exists():
        shutil.copyfile(log, copy.with_name(f"{copy.name}-wal"))
    try:
        with closing(connect(copy)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")  # what is in the log goes into the file
        verify(copy)
        found = describe(copy, shown_as)
    except BackupError as error:
        raise BackupError(str(error).replace(str(copy), str(shown_as))) from None
    except (sqlite3.Error, TypeError) as error:  # TypeError: the table of the revision is empty
        raise BackupError(f"{shown_as} holds no journal ({error})") from error
    if found.revision != HEAD and not is_known(found.revision):
        raise SchemaError(f"the tables of {shown_as} are of revision {found.revision}; this release knows up to {HEAD}")
    return found


@contextmanager
def _held(journal: Path) -> Iterator[None]:
    """Keep all others out of the journal that is there, once its log is in its file.

    Raises:
        BackupError: another process has it open.
    """
    if not journal.exists():
        yield
        return
    with closing(connect(journal)) as connection:
        try:
            connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
            # SQLite leaves the WAL mode only where no other connection has the file open, not even an idle one.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise BackupError(f"a service or a command has the journal {journal} open; stop it first") from error
            # What is there is damaged: it is kept as it is, with its log.
        yield


def _compare(journal: Path, copy: Path) -> tuple[int | None, int | None, int | None]:
    """Return how many notifications the copy lacks, how many are handled in the journal alone; and its erasures."""
    if not journal.exists():
        return 0, 0, 0
    try:
        with closing(sqlite3.connect(f"{copy.as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
            # The journal is locked by ourselves: it is read as a file that does not change.
            connection.execute("ATTACH ? AS there", (f"{journal.as_uri()}?immutable=1",))
            missing = connection.execute(
                "SELECT count(*) FROM there.notification WHERE key NOT IN (SELECT key FROM main.notification)"
            ).fetchone()[0]
            again = connection.execute(
                "SELECT count(*) FROM main.notification AS here JOIN there.notification AS was ON was.key = here.key "
                "WHERE here.state = 'received' AND was.state IN ('handled', 'done')"
            ).fetchone()[0]
            erasures = _erasures_since(connection)
    except sqlite3.Error:
        return None, None, None
    return missing, again, erasures


def _erasures_since(connection: sqlite3.Connection) -> int:
    """Return how many erasures the attached journal has on record that the copy has not."""
    if not _has_record(connection, "there"):
        return 0
    query = "SELECT count(*) FROM there.erasure"
    if _has_record(connection, "main"):
        query += " WHERE digest NOT IN (SELECT digest FROM main.erasure)"
    (number,) = connection.execute(query).fetchone()
    return int(number)


def _has_record(connection: sqlite3.Connection, database: str) -> bool:
    """Whether a database is of a release that records erasures."""
    query = f"SELECT 1 FROM {database}.sqlite_master WHERE type = 'table' AND name = 'erasure'"  # noqa: S608 - a constant
    return connection.execute(query).fetchone() is not None


def _take_over_rights(journal: Path, copy: Path) -> None:
    """Give the copy the rights and the owner of what it replaces: root may restore what another user serves."""
    if journal.exists():
        copy.chmod(journal.stat().st_mode & 0o777)
    if hasattr(os, "chown"):
        owner = (journal if journal.exists() else journal.parent).stat()
        with suppress(PermissionError):  # only root may; another user's copy is its own
            os.chown(copy, owner.st_uid, owner.st_gid)


def _swap(copy: Path, journal: Path) -> Path | None:
    """Put the copy in the journal's place, in one step for all who look; return where the former one is."""
    kept = _keep(journal) if journal.exists() else None
    copy.replace(journal)
    whole_file.sync(journal.parent)
    return kept


def _keep(journal: Path) -> Path:
    stem = f"{journal.name}.replaced-{clock.now():%Y%m%dT%H%M%S}"
    for number in range(1, 1000):
        kept = journal.with_name(stem if number == 1 else f"{stem}-{number}")
        with suppress(FileExistsError):
            whole_file.link(journal, kept)
            break
    for suffix in ("-wal", "-shm"):  # there only where the file is damaged: SQLite would play it into the next one
        with suppress(FileNotFoundError):
            journal.with_name(journal.name + suffix).replace(kept.with_name(kept.name + suffix))
    return kept
