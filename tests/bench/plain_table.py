"""The table of the yardsticks: one row a message, committed durably."""

from __future__ import annotations

import sqlite3
import threading
from typing import Final

INSERT: Final = "INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?, ?, ?)"
_local = threading.local()


def connection(path: str) -> sqlite3.Connection:
    """Return this thread's connection."""
    if not hasattr(_local, "connection"):
        _local.connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        _local.connection.execute("PRAGMA journal_mode=WAL")
        _local.connection.execute("PRAGMA synchronous=FULL")
        _local.connection.execute(
            "CREATE TABLE IF NOT EXISTS message (id TEXT PRIMARY KEY, originator TEXT, recipient TEXT, body TEXT,"
            " type TEXT, sentat TEXT, receivedat TEXT)"
        )
    return _local.connection  # type: ignore[no-any-return] # a thread-local has no types
