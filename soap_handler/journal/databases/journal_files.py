"""The files of a SQLite journal: makes them, for their owner alone, and acts when they are taken away.

SQLite does not notice that its file, or the write-ahead log beside it, was deleted, moved or replaced: it goes on in
files that no path leads to any more. ``sqlite_transaction`` compares; what follows from a difference is decided here.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy import event

from soap_handler import clock, telemetry
from soap_handler.errors import JournalFileError, JournalUnavailableError
from soap_handler.journal.databases.sqlite import JOURNAL_FILES, prepare
from soap_handler.journal.databases.sqlite_transaction import OPEN_FILES, Files, OpenFiles, files_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

SETTLING_SECONDS: Final = 2.5
"""For every process to see that the log is gone: each looks once a second."""
_CHECKPOINT_TRIES: Final = 20
_CHECKPOINT_PAUSE_SECONDS: Final = 0.05
_FIRST_ALARM_BYTES: Final = 64 * 2**20  # of the log; it has 4 MB where no reader holds it back
MARK_SECONDS: Final = 60.0
"""Between two marks: an older copy is told from a file by its lower one."""
_MARK_AT: Final = 60  # where SQLite's header has user_version, which is for programs like this
_SURE_SECONDS: Final = 0.05  # until a mark that seems too low is read again: another thread may have read a later one
_KEEPS_NOTHING: Final = "keeps nothing when the service ends; expected a file, as in sqlite:///soap-handler.db"


def file_of(url: URL) -> str:
    """Return the absolute path of the file that a URL of SQLite names.

    Raises:
        JournalUnavailableError: it names none.
    """
    database = url.database or ""
    options = dict(url.query)
    if database.startswith("file:"):
        parts = urlsplit(database)
        options |= dict(parse_qsl(parts.query))
        database = unquote(parts.path)
    keeps_nothing = ":memory:" in database or "vfs" in options or options.get("mode") == "memory"
    if not database.strip() or keeps_nothing:
        raise JournalUnavailableError(f"journal.url {url.render_as_string()} {_KEEPS_NOTHING}")
    return str(Path(database).absolute())


def set_up(engine: Engine, journal_files: JournalFiles) -> None:
    """Have each connection of an engine open what is at the journal's place, and know which files those are."""
    engine.update_execution_options(**{JOURNAL_FILES: journal_files})

    def open_file(_dialect: object, _record: object, arguments: Any, options: Any) -> None:  # noqa: ANN401 - of the driver
        journal_files.open(arguments, options)

    def opened(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        try:
            prepare(connection)
            record.info[OPEN_FILES] = OpenFiles(journal_files, journal_files.opened(connection))
        except Exception:
            connection.close()
            raise

    event.listen(engine, "do_connect", open_file)
    event.listen(engine, "connect", opened)


def journal_files_of(connection: Connection | Engine) -> JournalFiles:
    """Return the place of the files of an engine, or of a connection of it."""
    journal_files: JournalFiles = connection.get_execution_options()[JOURNAL_FILES]
    return journal_files


class JournalFiles:
    """The place of one journal's files, for all connections of an engine. Thread-safe."""

    def __init__(self, path: str, *, create: bool) -> None:
        """``create``: make the file where there is none."""
        self.path = path
        self.log = f"{path}-wal"
        """The path of the write-ahead log: SQLite follows links, and has it beside the file itself."""
        self.folder = str(Path(self.log).parent)
        """The path of the folder of the log."""
        self.create = create
        self.revision: str | None = None
        """What the tables of a file that is opened must be of; ``None``: anything."""
        self._lock = threading.Lock()
        self._lost: Files | None = None  # what was open when a loss was noticed, until a journal is there again
        self._open_again_at = 0.0
        self.mark_at = time.monotonic() + MARK_SECONDS
        """The monotonic time from which on :meth:`mark` has something to do."""
        self._changes = -1  # rows that were changed by the connection that made the last mark, until then
        self._mark: int | None = None  # the last that was met in the file itself, not in its log
        self._descriptor = -1  # by which it was met
        self._schema_version = 0  # the highest that was met; VACUUM counts it up, and nothing counts it down
        self.alarm = _FIRST_ALARM_BYTES
        """The size of the log in bytes of which :meth:`watch_log` is to be told."""

    # -- opening -----------------------------------------------------------------------------------------------------

    def open(self, arguments: Any, options: Any) -> None:  # noqa: ANN401 - what SQLAlchemy gives its driver
        """Make ready the file that is about to be opened, and have the driver make none by itself.

        Raises:
            JournalFileError: it is not there, or empty, and none is to be made.
            OSError: it cannot be made.
        """
        if time.monotonic() < self._open_again_at:
            raise JournalFileError("the journal's files were taken away; they are opened again in a moment")
        self.log = f"{Path(self.path).resolve()}-wal"
        self.folder = str(Path(self.log).parent)
        found = files_at(self.path, self.log)
        if found.file is None and self.create:
            # SQLite gives the log and the index beside a file the file's own mode.
            with suppress(FileExistsError):  # another process was quicker
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        elif not self.create and not found.size:
            state = "empty" if found.file else "not there"
            raise JournalFileError(f"the journal's file {self.path} is {state}; put it back, or start the service anew")
        options["uri"] = True
        arguments[0] = f"{Path(self.path).as_uri()}?mode=rw"

    def has_tables(self, driver: Any, revision: str) -> None:  # noqa: ANN401 - a connection of the driver
        """Note what the file is from now on: it is not made any more, and one of other tables is not opened."""
        self.create, self.revision = False, revision
        self._note_schema(driver)

    def _note_schema(self, driver: sqlite3.Connection) -> None:
        self._schema_version = max(self._schema_version, _schema_version(driver))

    def opened(self, driver: sqlite3.Connection) -> Files:
        """Return the files that a new connection has open, after a look at what they hold.

        Raises:
            JournalFileError: the file is not a journal of this release, or is broken since it was taken away.
        """
        if self.revision is not None:
            self._look_into(driver)
        found = files_at(self.path, self.log)
        with self._lock:
            lost, self._lost = self._lost, None
            self._note_schema(driver)
        if lost is not None:
            telemetry.emit("journal_file_back", file=self.path)
        return found

    def _look_into(self, driver: sqlite3.Connection) -> None:
        try:
            found = driver.execute("SELECT version_num FROM alembic_version").fetchone()
            broken = self._lost is not None and driver.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",)
        except sqlite3.DatabaseError as error:
            raise JournalFileError(f"the file at {self.path} is no journal ({error})") from error
        if found != (self.revision,):
            revision = found[0] if found else "nothing"
            raise JournalFileError(f"the journal at {self.path} is of revision {revision}; expected {self.revision}")
        if broken:
            raise JournalFileError(f"the journal at {self.path} is damaged; put back a whole copy")

    def is_sound(self) -> bool:
        """Whether the file, which has become shorter, still holds everything.

        It was vacuumed then, and not cut off, nor was an older copy written over it (``cp``), which may be whole too.
        """
        try:
            with closing(sqlite3.connect(f"{Path(self.path).as_uri()}?mode=rw", uri=True)) as fresh:
                version = _schema_version(fresh)
                if version <= self._schema_version or not files_at(self.path, self.log).size:
                    return False
                self._schema_version = version
                return bool(fresh.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        except sqlite3.Error:
            return False

    def mark(self, driver: sqlite3.Connection) -> None:
        """Count the file's mark up, if anything was written since the last mark. In the transaction of the caller."""
        if driver.total_changes != self._changes:
            number = driver.execute("PRAGMA user_version").fetchone()[0]
            driver.execute(f"PRAGMA user_version = {number + 1}")
            self._changes = driver.total_changes
            self.mark_at = time.monotonic() + MARK_SECONDS

    def is_overwritten(self, found: Files) -> bool:
        """Whether an older copy was written over the file, which has been written to: its mark is lower then.

        A checkpoint only writes later marks. Where the system does not tell which descriptors are open, none is read.
        """
        for pause in (0.0, _SURE_SECONDS):
            time.sleep(pause)
            mark = self._mark_in(found.file)
            if mark is None or self._mark is None or mark >= self._mark:
                self._mark = mark
                return False
        return True

    def _mark_in(self, file: tuple[int, int] | None) -> int | None:
        """Read the mark in the file itself, by a descriptor of SQLite's.

        To open the file and close it again would give up SQLite's locks on it.
        """
        for descriptor in chain((self._descriptor,), _descriptors()):
            with suppress(OSError):
                if _names(descriptor, file):
                    read = os.pread(descriptor, 4, _MARK_AT)
                    if len(read) == 4 and _names(descriptor, file):  # it is not another file's meanwhile
                        self._descriptor = descriptor
                        return int.from_bytes(read, "big")
        return None

    # -- losing ------------------------------------------------------------------------------------------------------

    def lose(self, connection: Connection, had: Files) -> JournalFileError:
        """Save what can be saved through a connection whose files were taken away; return what to raise.

        The other connections have the same files open, and are not used again. What is in the log goes into the file,
        wherever that is now; a file that was deleted is copied to one beside it. A log that belongs to neither path nor
        file any more is deleted: SQLite would play it into the next file.
        """
        driver: Any = connection.connection.driver_connection
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        found = files_at(self.path, self.log)
        what = _difference(had, found)
        with self._lock:
            first = self._lost is None
            self._lost = had
            self._mark = None
        if first:
            saved = self._save(driver, had, found)
            telemetry.emit("journal_file_lost", file=self.path, what=what, saved=saved)
        connection.engine.dispose()
        return JournalFileError(f"{what}: {self.path}")

    def _save(self, driver: sqlite3.Connection, had: Files, found: Files) -> str:
        """Return what was saved, in words."""
        if (found.file, found.log) == (had.file, had.log):
            return "nothing"  # what is in the log would be written into another file than it belongs to
        whole = (found.file != had.file or found.log in {None, had.log}) and _empty_log(driver)
        if found.file == had.file:
            if found.log != had.log:
                self._open_again_at = time.monotonic() + SETTLING_SECONDS
            return "the content of the log" if whole else "nothing"
        saved = (
            self._copy(driver) if _is_deleted(had.file) else "the file is elsewhere, and whole" if whole else "nothing"
        )
        if found.log == had.log and (whole or saved.startswith("copied")):
            for name in (self.log, f"{self.log.removesuffix('-wal')}-shm"):
                Path(name).unlink(missing_ok=True)
        return saved

    def _copy(self, driver: sqlite3.Connection) -> str:
        try:
            copy = _new_file(f"{self.path}.rescued-{clock.now():%Y%m%dT%H%M%S}-{os.getpid()}")
        except OSError as error:
            return f"nothing ({type(error).__name__})"
        try:
            with closing(sqlite3.connect(copy)) as target:
                driver.backup(target)
        except (sqlite3.Error, OSError) as error:
            with suppress(OSError):
                Path(copy).unlink()
            return f"nothing ({type(error).__name__})"
        return f"copied to {copy}"

    # -- the log -----------------------------------------------------------------------------------------------------

    def watch_log(self, size: int) -> None:
        """Say that the log has grown, each time it has doubled."""
        self.alarm = 2 * size
        telemetry.emit("journal_log_grows", megabytes=size >> 20)


def _new_file(path: str) -> str:
    """Make an empty file for its owner alone; return its path, which has a number where the name is taken.

    Raises:
        OSError: it cannot be made.
    """
    name, number = path, 1
    while True:
        try:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            number += 1
            name = f"{path}-{number}"
        else:
            return name


def _difference(had: Files, found: Files) -> str:
    if found.file is None:
        return "the journal's file was taken away"
    if found.file != had.file:
        return "the journal's file was replaced by another one"
    if found.log != had.log:
        return "the write-ahead log beside the journal's file was taken away"
    return "the journal's file was cut off, or an older copy was written over it"


def _schema_version(driver: sqlite3.Connection) -> int:
    return int(driver.execute("PRAGMA schema_version").fetchone()[0])


def _empty_log(driver: sqlite3.Connection) -> bool:
    """Write what is in the log into the file; return whether all of it is there."""
    for _ in range(_CHECKPOINT_TRIES):
        try:
            busy, in_log, in_file = driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error:
            return False
        if not busy and in_log == in_file:
            return True
        time.sleep(_CHECKPOINT_PAUSE_SECONDS)
    return False


def _is_deleted(file: tuple[int, int] | None) -> bool:
    """Whether no name leads to a file any more that this process has open.

    To open the file and close it again would give up SQLite's locks on it; the descriptors that are open tell as much.
    """
    for descriptor in _descriptors():
        with suppress(OSError):
            if _names(descriptor, file):
                return os.fstat(descriptor).st_nlink == 0
    return False


def _descriptors() -> Iterator[int]:
    """Yield what this process has open, where the system tells."""
    folder = Path("/dev/fd")
    for entry in folder.iterdir() if folder.is_dir() else ():
        yield int(entry.name)


def _names(descriptor: int, file: tuple[int, int] | None) -> bool:
    """Whether a descriptor is one of a file.

    Raises:
        OSError: it is closed.
    """
    found = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == file
