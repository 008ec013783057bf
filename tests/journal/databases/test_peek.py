"""Peek: it finds what is there, on either engine, and leaves no trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Journal, peek
from tests.journal.entries import entry

if TYPE_CHECKING:
    from pathlib import Path


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_record_is_found_by_its_key(url: str) -> None:
    """Also one that was committed a moment ago by a service that runs."""
    with Journal(url) as journal:
        journal.record(entry(1))
        found = peek(url, entry(1).notification.key)
        assert found is not None
        assert found.notification == entry(1).notification
        assert peek(url, entry(2).notification.key) is None


def test_no_file_changes(sqlite_url: str, tmp_path: Path) -> None:
    """Of a journal that no process has open, each byte stays, and nothing comes beside it."""
    with Journal(sqlite_url) as journal:
        journal.record(entry(1))
    before = files(tmp_path)
    assert peek(sqlite_url, entry(1).notification.key) is not None
    assert files(tmp_path) == before


def test_no_journal_is_made(tmp_path: Path) -> None:
    """Where there is none, that is said."""
    with pytest.raises(JournalUnavailableError, match="there is no journal"):
        peek(f"sqlite:///{tmp_path / 'journal.db'}", "key")
    assert files(tmp_path) == {}


def test_what_is_no_journal_is_said(sqlite_url: str, tmp_path: Path) -> None:
    """A file of something else, or of a release without these columns."""
    (tmp_path / "journal.db").write_bytes(b"")
    with pytest.raises(JournalUnavailableError, match="cannot be read"):
        peek(sqlite_url, "key")
