"""A new SQLite journal as a file with its tables: making them anew for each of thousands of tests costs minutes."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

from soap_handler.journal import Journal


@functools.cache
def _content() -> bytes:
    """Return what a journal is after its first start. How that is made has tests of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        Journal(f"sqlite:///{path}").close()
        return path.read_bytes()


def empty_journal(path: Path) -> str:
    """Put an empty journal at a path where nothing is, for its owner alone; return its URL."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(_content())
    return f"sqlite:///{path}"
