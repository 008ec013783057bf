"""A transaction on SQLite: how its one writer's lock is taken, and when its commit counts.

A commit counts only where the files at the journal's path are still those that it has open (``journal_files``).

SQLite has one writer at a time. A transaction that will write takes the lock at its begin (``BEGIN IMMEDIATE``): to
take it later can fail without waiting.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

OPEN_FILES: Final = "opened"
"""The name in a connection's ``info`` of its :class:`OpenFiles`."""
WAIT_MS: Final = "milliseconds to wait for the lock"
"""The name in the ``info`` of a connection that does nothing but write: SQLite's own waiting is turned off on it."""
BEGIN_IMMEDIATE: Final = "BEGIN IMMEDIATE"
_TRUST_SECONDS: Final = 0.05  # a transaction right behind another one is compared only at its end
SETTLED_SECONDS: Final = 0.1
"""Longer than the step of the kernel's clock, by which a file system notes times."""
COARSE_SETTLED_SECONDS: Final = 3.0
"""The same where the file system's own step is longer (FAT: 2 s)."""
_COARSE_NS: Final = 10_000_000  # a time that is no multiple is of a file system whose step is that of the clock
LOOK_AT_LOG_SECONDS: Final = 1.0
"""Between two looks at the log itself, whatever its folder says."""
_FOLDERS_TELL: Final = sys.platform == "linux"  # where a folder's time of change is that of its names, at once
_LOCK_POLL_SECONDS: Final = 0.0003  # a part of what a commit takes


class Files(NamedTuple):
    """Which files are at the journal's path: device and inode of the file and of its log, ``None`` where none is."""

    file: tuple[int, int] | None
    log: tuple[int, int] | None
    size: int = 0
    """Of the file, in bytes. It never shrinks but by VACUUM."""
    written: int = 0
    """When the file was written last, in nanoseconds: by a checkpoint of the log, or by another program."""
    log_size: int = 0


_ALL_BUT_LOG_SIZE: Final = slice(4)  # of Files: what is the same for most transactions


@dataclass(slots=True)
class OpenFiles:
    """Which files a connection has open, and at which place they are."""

    journal_files: Any  # a JournalFiles, which knows this module
    files: Files
    """As they were at the last comparison."""
    trusted_at: float = 0.0
    """The monotonic time of that."""
    folder: tuple[int, int, int] | None = None
    """The folder of the log, at the last comparison of the log itself: device, inode, and when its names changed."""
    folder_since: float = 0.0
    """The monotonic time since which it has been found so."""
    log_at: float = 0.0
    """The monotonic time of the last comparison of the log itself."""


def files_at(path: str, log_path: str) -> Files:
    """Return which files are at a journal's path and at that of its log now."""
    file, size, written = _file_at(path)
    try:
        found = os.stat(log_path)  # noqa: PTH116 - for each commit; a Path takes as long again
    except OSError:
        return Files(file, None, size, written)
    return Files(file, (found.st_dev, found.st_ino), size, written, found.st_size)


def _file_at(path: str) -> tuple[tuple[int, int] | None, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return None, 0, 0
    return (found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns


def log_is_the_same(opened: OpenFiles, now: float) -> bool:
    """Whether no name in the folder of the log has changed since the log itself was compared, a moment ago.

    To look at the log after each commit has a price: Linux has the next write note its own time of change then
    (multigrain timestamps), and that commit waits for the disk once more. A folder is not written to. Its time is
    relied on only where it had not changed for so long that a second change would have shown.
    """
    if not _FOLDERS_TELL:
        return False
    folder = folder_at(opened.journal_files.folder)
    if folder is None or folder != opened.folder:
        opened.folder, opened.folder_since = folder, now
    elif now - opened.log_at < LOOK_AT_LOG_SECONDS:
        settles_in = SETTLED_SECONDS if folder[2] % _COARSE_NS else COARSE_SETTLED_SECONDS
        if opened.log_at - opened.folder_since >= settles_in:
            return True
    opened.log_at = now
    return False


def folder_at(path: str) -> tuple[int, int, int] | None:
    """Return a folder's device, inode, and when its names changed, in nanoseconds; ``None`` where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns  # the other time can be set back, as rsync does


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Begin a transaction, commit it at the end, and trust the commit only if it went where the journal's path leads.

    On PostgreSQL there is nothing to compare.

    Raises:
        JournalFileError: the files were taken away, replaced or cut off.
    """
    opened: OpenFiles | None = connection.info.get(OPEN_FILES)
    if opened is not None and time.monotonic() - opened.trusted_at > _TRUST_SECONDS:
        _compare(connection, opened)
    try:
        with connection.begin():
            yield
            if opened is not None and opened.trusted_at >= opened.journal_files.mark_at:
                opened.journal_files.mark(connection.connection.driver_connection)
    finally:  # what goes wrong in a file that was cut off goes wrong for that reason
        if opened is not None:
            _compare(connection, opened)


def trust(connection: Connection) -> None:
    """Compare the files at the journal's path with those that a connection has open.

    Raises:
        JournalFileError: they are not the same; what was committed of late may be in neither.
    """
    opened: OpenFiles | None = connection.info.get(OPEN_FILES)
    if opened is not None:
        _compare(connection, opened)


def _compare(connection: Connection, opened: OpenFiles) -> None:
    journal_files, had = opened.journal_files, opened.files
    now = time.monotonic()
    if log_is_the_same(opened, now):
        file, size, written = _file_at(journal_files.path)
        found = Files(file, had.log, size, written)
    else:
        found = files_at(journal_files.path, journal_files.log)
    if found[_ALL_BUT_LOG_SIZE] != had[_ALL_BUT_LOG_SIZE] and not _is_same(journal_files, found, had):
        raise journal_files.lose(connection, had)
    if found.log_size >= journal_files.alarm:
        journal_files.watch_log(found.log_size)
    opened.files, opened.trusted_at = found, now


def _is_same(journal_files: Any, found: Files, had: Files) -> bool:  # noqa: ANN401 - a JournalFiles, which knows this module
    """Whether these are the files that a connection has open, with all that is in them."""
    return (
        found.file == had.file
        and had.log in {None, found.log}
        and (found.size >= had.size or journal_files.is_sound())
        and (found.written == had.written or not journal_files.is_overwritten(found))
    )


def begin(connection: Connection) -> None:
    """Begin a transaction as the options of its connection say, when SQLAlchemy does."""
    options = connection.get_execution_options()
    driver: Any = connection.connection.driver_connection
    if options.get("begins_late", False) or driver.in_transaction:  # by try_begin_immediate
        return
    if options.get("read_only", False):
        driver.execute("BEGIN")  # it takes no lock, so it cannot fail
    elif not begin_immediate(connection):
        connection.exec_driver_sql(BEGIN_IMMEDIATE)  # once more, for SQLAlchemy to see the error


def begin_immediate(connection: Connection) -> bool:
    """Take the writer's lock, polling for it during busy_timeout at most; return whether we have it.

    SQLite's own waiting sleeps longer each time, up to 100 ms. With several processes that write all the time, the one
    that has waited longest would lose against newcomers, for seconds.
    """
    driver: Any = connection.connection.driver_connection
    if WAIT_MS in connection.info:
        return poll_for_lock(driver, connection.info[WAIT_MS])
    busy_timeout = turn_off_waiting(driver)
    try:
        return poll_for_lock(driver, busy_timeout)
    finally:
        driver.execute(f"PRAGMA busy_timeout = {busy_timeout}")


def turn_off_waiting(driver: Any) -> int:  # noqa: ANN401 - a connection of the driver
    """Have SQLite not wait by itself; return for how long (milliseconds) it would have."""
    (busy_timeout,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute("PRAGMA busy_timeout = 0")
    return int(busy_timeout)


def poll_for_lock(driver: Any, milliseconds: int, statement: str = BEGIN_IMMEDIATE) -> bool:  # noqa: ANN401 - a connection of the driver
    """Execute a statement that needs a lock, again and again for a time at most; return whether it succeeded."""
    deadline = time.monotonic() + milliseconds / 1000
    while True:
        try:
            driver.execute(statement)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                return False
            time.sleep(_LOCK_POLL_SECONDS)
        else:
            return True
