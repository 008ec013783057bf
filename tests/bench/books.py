"""What a server stored, read from its database once it is asked."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path


_FILL: Final = """
    INSERT INTO notification
        (key, account, kind, state, source, payload, received_at, attempts, delete_attempts, done_at)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
    SELECT 'A/MessageReceived/' || lower(hex(randomblob(16))), 'A', 'MessageReceived', 'done', 'push', '{}', i, 1, 1, i
    FROM n
"""


def count(database: Path, query: str) -> int:
    """Return the one number that a query gives."""
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        return int(connection.execute(query).fetchone()[0])


def rows(database: Path, table: str) -> int:
    """Return how many rows a table has."""
    return count(database, f"SELECT count(*) FROM {table}")  # noqa: S608 - the names are ours


def dispatched(database: Path) -> int:
    """Return how many notifications were handled."""
    return count(database, "SELECT count(*) FROM notification WHERE state IN ('handled', 'done')")


def wait_until_done(database: Path, seconds: float) -> float:
    """Wait until everything is done; return how many seconds it took."""
    begun = time.monotonic()
    while count(database, "SELECT count(*) FROM notification WHERE state IN ('received', 'handled')"):
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"not done after {seconds:g} s")
        time.sleep(0.05)
    return time.monotonic() - begun


def fill(database: Path, done: int) -> None:
    """Put in so many notifications that are done."""
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.execute(_FILL, (done,))
