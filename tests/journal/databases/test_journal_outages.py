"""A journal that cannot commit says so, loses nothing that it confirmed, and recovers by itself."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Entry, Journal, Selection
from soap_handler.journal.databases import sqlite
from tests.journal.engines import PostgreSQL, writers_held_up
from tests.journal.entries import LEASE, START, entry, message
from tests.support.database import opened
from tests.support.events import captured_events
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.journal.ways import Way


def with_pragma(monkeypatch: pytest.MonkeyPatch, pragma: str) -> None:
    """Let each connection from now on have this pragma too."""
    monkeypatch.setattr(sqlite, "PRAGMAS", (*sqlite.PRAGMAS, pragma))


def is_recorded(journal: Journal, arrived: Entry) -> bool:
    try:
        return journal.record(arrived)
    except JournalUnavailableError:
        return False


def test_a_locked_journal_is_unavailable_and_recovers(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    """While another holds the lock nothing is confirmed; afterwards the same object works on."""
    with_pragma(monkeypatch, "busy_timeout = 50")
    with Journal(sqlite_url, **way) as journal:
        assert journal.record(entry(1))
        with writers_held_up(sqlite_url):
            with pytest.raises(JournalUnavailableError, match="locked"):
                journal.record(entry(2))
            with pytest.raises(JournalUnavailableError, match="locked"):
                journal.claim(1, LEASE)
            assert len(journal.records(Selection())) == 1, "looking does not wait for whoever writes"
        assert journal.record(entry(2))
        assert len(journal.claim(5, LEASE)) == 2


def test_a_full_disk_loses_nothing_that_was_confirmed(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    """Entries are confirmed until the disk is full, and exactly these are there afterwards."""
    with monkeypatch.context() as full:
        with_pragma(full, "max_page_count = 60")
        with Journal(sqlite_url, **way) as journal:
            confirmed = [number for number in range(100) if confirms(journal, number)]
    with Journal(sqlite_url, **way) as journal:
        stored = [int(record.notification.id[-4:], 16) - 1 for record in journal.records(Selection())]  # type: ignore[union-attr] # all are messages
    assert 10 < len(confirmed) < 100
    assert sorted(stored) == confirmed


def confirms(journal: Journal, number: int) -> bool:
    try:
        return journal.record(Entry(replace(message(number), body="x" * 3000), START))
    except JournalUnavailableError as error:
        return "full" not in str(error)


def test_space_that_comes_back_is_used(
    sqlite_url: str,
    way: Way,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a full disk the same object works on, without a restart."""
    big = Entry(replace(message(1), body="x" * 500_000), START)
    with ExitStack() as stack:
        with monkeypatch.context() as full:
            with_pragma(full, "max_page_count = 60")
            journal = stack.enter_context(Journal(sqlite_url, **way))
            with pytest.raises(JournalUnavailableError, match="full"):
                journal.record(big)
            assert journal.record(entry(2)), "what still fits is stored"
        with pytest.raises(JournalUnavailableError, match="full"):
            journal.record(big)  # on the old connection, which is dropped for it
        assert journal.record(big)


def test_a_read_only_journal_is_unavailable_and_recovers(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    """Read-only: nothing is confirmed, looking works, and it goes on when it is writable again."""
    with_pragma(monkeypatch, "busy_timeout = 50")
    with Journal(sqlite_url, **way) as journal:
        with monkeypatch.context() as read_only:
            with_pragma(read_only, "query_only = ON")
            with writers_held_up(sqlite_url), pytest.raises(JournalUnavailableError, match="locked"):
                journal.record(entry(1))  # on the first connection, which is dropped for it
            for _ in range(2):
                with pytest.raises(JournalUnavailableError, match="readonly"):
                    journal.record(entry(1))
            assert journal.records(Selection()) == []
        wait_for(lambda: is_recorded(journal, entry(1)))  # a connection that was kept is still read-only


def test_the_end_of_an_outage_is_told_once(sqlite_url: str, monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    """With how long it lasted from the first failure; the commits that follow have nothing to tell."""
    with_pragma(monkeypatch, "busy_timeout = 50")
    with Journal(sqlite_url, **way) as journal, captured_events() as logged:
        journal.record(entry(1))
        began = time.monotonic()
        with writers_held_up(sqlite_url):
            for number in (2, 3):
                with pytest.raises(JournalUnavailableError):
                    journal.record(entry(number))
            time.sleep(0.2)
        for number in (2, 3):
            journal.record(entry(number))
        took = time.monotonic() - began
    (told,) = [event for event in logged if event["event"] == "journal_recovered"]
    assert 0.2 <= told["seconds"] <= took + 0.1
    assert told["log_level"] == "info"


@pytest.mark.parametrize("place", ["no/such/folder/journal.db", "a-file/journal.db", ""])
def test_a_journal_that_cannot_be_opened_says_why(tmp_path: Path, place: str) -> None:
    """No folder, a file in the way, a folder in its place: one error of ours, and nothing is left open."""
    (tmp_path / "a-file").write_text("")
    with pytest.raises(JournalUnavailableError, match="cannot be opened"):
        Journal(f"sqlite:///{tmp_path / place}")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file of another kind is not overwritten."""
    file = tmp_path / "journal.db"
    file.write_text("This is a shopping list. " * 100)
    with pytest.raises(JournalUnavailableError, match="not a database"):
        Journal(f"sqlite:///{file}")
    assert file.read_text().startswith("This is")


def test_looking_at_a_broken_journal_is_an_error_of_ours(sqlite_url: str, way: Way) -> None:
    """Reading fails with the same error as writing."""
    with Journal(sqlite_url, **way) as journal:
        with opened(sqlite_url) as connection:
            connection.execute(text("ALTER TABLE notification RENAME TO elsewhere"))
        with pytest.raises(JournalUnavailableError, match="cannot be read"):
            journal.records(Selection())
        with pytest.raises(JournalUnavailableError):
            journal.record(entry(1))


def test_an_outage_is_logged_without_numbers_and_bodies(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    """The log says what the database said, and how many requests met it; not what was in them."""
    with_pragma(monkeypatch, "busy_timeout = 50")
    with (
        Journal(sqlite_url, **way) as journal,
        writers_held_up(sqlite_url),
        captured_events() as lines,
        pytest.raises(JournalUnavailableError),
    ):
        journal.record(entry(1))
    (line,) = lines
    assert (line["event"], line["requests"]) == ("journal_unavailable", 1)
    assert "447700900001" not in str(line)


def test_an_outage_is_said_once_a_minute(sqlite_url: str, monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    """However many pushes meet it: the log of a night is no gigabyte."""
    with_pragma(monkeypatch, "busy_timeout = 10")
    with Journal(sqlite_url, **way) as journal, writers_held_up(sqlite_url), captured_events() as lines:
        for number in range(5):
            with pytest.raises(JournalUnavailableError):
                journal.record(entry(number))
    assert [line["event"] for line in lines].count("journal_unavailable") == 1


def test_connections_that_postgresql_cut_are_made_again(postgresql: PostgreSQL, way: Way) -> None:
    """After the server dropped every connection, one request may fail; the next works."""
    url = postgresql.database()
    with Journal(url, **way) as journal:
        journal.record(entry(1))
        database = url.split("/")[3].split("?")[0]
        kill = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        admin = postgresql.engine("postgres")
        with admin.connect() as connection:
            connection.execute(kill, {"name": database})
        wait_for(lambda: recorded(journal))
        assert len(journal.records(Selection())) == 2
        admin.dispose()


def recorded(journal: Journal) -> bool:
    try:
        return journal.record(entry(2))
    except JournalUnavailableError:
        return False
