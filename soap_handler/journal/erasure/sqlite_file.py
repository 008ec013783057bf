"""Wiping SQLite's files: what ``erase`` took from the tables must not stay in the file or in the write-ahead log.

Deleted bytes are overwritten (``secure_delete``), but a page that was split may keep some, and the write-ahead log
keeps its content until it is emptied. So the log is emptied, the file is searched, and vacuumed if need be.
PostgreSQL keeps old versions of rows until VACUUM, which is its administrator's business.
"""

from __future__ import annotations

import re
import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal.databases.errors import reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

_BETWEEN: Final = rb"[\s\-./()0]{0,3}?"
_PIECE_BYTES: Final = 1 << 20
_OVERLAP_BYTES: Final = 256  # longer than any way to write a number
_CHECKPOINT_TRIES: Final = 3  # each waits for others as long as any write does


class Wiped(StrEnum):
    """The result of a wipe."""

    CLEAN = "clean"
    """Nothing is left in any file of the journal."""
    FOUND = "found"
    """The digits still occur: in another account, in an id, or within a longer number."""
    BUSY = "busy"
    """Other readers hold the write-ahead log back; it is emptied when they end. Erase again to be sure."""
    NEEDS_VACUUM = "needs vacuum"
    """Not known: PostgreSQL keeps old versions of rows until VACUUM, and its own log and backups for longer."""


def wipe(engine: Engine, digits: str) -> Wiped:
    """Remove what is left in the files; ``digits`` are those of a phone number, or empty.

    Raises:
        JournalUnavailableError: the database cannot be written.
    """
    if engine.dialect.name != "sqlite":
        return Wiped.NEEDS_VACUUM
    try:
        connection: Any = engine.raw_connection()  # VACUUM runs in no transaction
        try:
            return _wipe(connection.driver_connection, digits)
        finally:
            connection.close()
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise JournalUnavailableError(f"what is left in the journal's file is not wiped: {reason(error)}") from error


def _wipe(driver: sqlite3.Connection, digits: str) -> Wiped:
    file = Path(driver.execute("PRAGMA database_list").fetchone()[2])
    if not _empty_log(driver):
        return Wiped.BUSY
    if not _is_left(file, digits):
        return Wiped.CLEAN
    driver.execute("VACUUM")
    if not _empty_log(driver):
        return Wiped.BUSY
    return Wiped.FOUND if _is_left(file, digits) else Wiped.CLEAN


def _empty_log(driver: sqlite3.Connection) -> bool:
    return any(driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0 for _ in range(_CHECKPOINT_TRIES))


def _is_left(file: Path, digits: str) -> bool:
    if not digits:
        return False
    pattern = re.compile(_BETWEEN.join(digit.encode() for digit in digits))
    return any(pattern.search(piece) for piece in _pieces(file))


def _pieces(file: Path) -> Iterator[bytes]:
    rest = b""
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield rest + piece
            rest = piece[-_OVERLAP_BYTES:]
