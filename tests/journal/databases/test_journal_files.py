"""The files under a SQLite journal are taken away while it is open: no commit is confirmed that nobody will find."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
from contextlib import closing
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler import clock
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Entry, Journal, Selection, State
from soap_handler.journal.databases import journal_files
from soap_handler.journal.migrate import migrate_journal
from tests.journal.entries import LEASE, START, ended, entry, message
from tests.support.events import captured_events
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.journal.ways import Way


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the URL of a file that is not there yet."""
    return f"sqlite:///{tmp_path / 'journal.db'}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no other process that has to see that the log is gone."""
    monkeypatch.setattr(journal_files, "SETTLING_SECONDS", 0.0)


@pytest.fixture
def journal(sqlite_url: str, way: Way, at_once: None) -> Iterator[Journal]:  # noqa: ARG001 - it comes first
    with Journal(sqlite_url, **way) as opened:
        assert opened.record_all([entry(1), entry(2)]) == [True, True]
        yield opened


@pytest.fixture
def events(journal: Journal) -> Iterator[list[dict[str, Any]]]:  # noqa: ARG001 - it comes first
    with captured_events() as seen:
        yield seen


def named(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [each for each in events if each["event"] == name]


def stored(journal: Journal) -> int:
    return len(journal.records(Selection()))


def content(file: Path) -> int:
    """Return how many notifications a file holds by itself, without the log beside it."""
    with closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM notification").fetchone()[0])


def delete(file: Path) -> None:
    file.unlink()


def delete_all(file: Path) -> None:
    for name in ("", "-wal", "-shm"):
        Path(f"{file}{name}").unlink()


def move(file: Path) -> None:
    file.rename(file.with_name("elsewhere.db"))


def cut_off(file: Path) -> None:
    os.truncate(file, 0)


@pytest.mark.parametrize("take_away", [delete, delete_all, move, cut_off])
def test_no_commit_is_confirmed_without_a_file(
    journal: Journal, file: Path, take_away: Callable[[Path], None], events: list[dict[str, Any]]
) -> None:
    """Deleted, moved or cut off: the next push is refused, it is said once, and no empty journal takes its place."""
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    take_away(file)
    for _ in range(3):
        with pytest.raises(JournalUnavailableError):
            journal.record(entry(3))
    with pytest.raises(JournalUnavailableError):
        journal.claim(1, LEASE)
    assert len(named(events, "journal_file_lost")) == 1
    assert not file.exists() or not file.stat().st_size


def test_a_file_that_is_back_is_used(journal: Journal, file: Path, events: list[dict[str, Any]]) -> None:
    """It was moved away with the log left behind; what the log held is in it, and the same object works on."""
    elsewhere = file.with_name("elsewhere.db")
    file.rename(elsewhere)
    with pytest.raises(JournalUnavailableError, match="taken away"):
        journal.record(entry(3))
    with pytest.raises(JournalUnavailableError, match="not there"):
        journal.record(entry(3))
    assert content(elsewhere) in {2, 3}
    elsewhere.rename(file)
    assert journal.record(entry(4))
    assert stored(journal) in {3, 4}, "the one that was refused may have been committed before it was noticed"
    assert len(named(events, "journal_file_back")) == 1


def test_a_deleted_file_is_saved_beside_it(journal: Journal, file: Path, events: list[dict[str, Any]]) -> None:
    """What was confirmed and is not handled yet would be lost with the last connection: it is copied, for a person."""
    delete_all(file)
    with pytest.raises(JournalUnavailableError):
        journal.record(entry(3))
    (lost,) = named(events, "journal_file_lost")
    copy = Path(lost["saved"].removeprefix("copied to "))
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    copy.rename(file)
    assert stored(journal) in {2, 3}
    assert not journal.record(entry(1))


def test_a_second_loss_in_the_same_second_is_saved_too(
    journal: Journal, file: Path, events: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its copy gets a name that is free; the first copy is left as it is."""
    monkeypatch.setattr(clock, "now", lambda: START)
    whole = file.with_name("whole.db")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(whole)) as target:
        source.backup(target)
    delete_all(file)
    with pytest.raises(JournalUnavailableError):
        journal.record(entry(3))
    whole.rename(file)
    assert journal.record(entry(4))
    delete_all(file)
    with pytest.raises(JournalUnavailableError):
        journal.record(entry(5))
    first, second = (Path(lost["saved"].removeprefix("copied to ")) for lost in named(events, "journal_file_lost"))
    assert first != second
    assert (content(first) in {2, 3}, content(second) in {3, 4}) == (True, True)


def test_a_restored_copy_is_opened(journal: Journal, file: Path) -> None:
    """It replaces the file: what it has is known, and what was committed since is new. The old log is not played in."""
    copy = file.with_name("copy.db")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    assert journal.record(entry(3))
    copy.replace(file)
    with pytest.raises(JournalUnavailableError, match="replaced"):
        journal.record(entry(4))
    assert [journal.record(entry(number)) for number in (1, 2, 3)] == [False, False, True]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("holds", [b"", b"This is a shopping list. " * 200, None])
def test_only_a_journal_is_opened_in_its_place(journal: Journal, file: Path, holds: bytes | None) -> None:
    """An empty file, another kind of file, a database without our tables: refused until a journal is there."""
    delete_all(file)
    if holds is None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE votes (id INTEGER)")
    else:
        file.write_bytes(holds)
    before = file.read_bytes()
    for _ in range(2):
        with pytest.raises(JournalUnavailableError):
            journal.record(entry(3))
    assert holds is None or file.read_bytes() == before


def test_a_deleted_log_loses_nothing(journal: Journal, file: Path, events: list[dict[str, Any]]) -> None:
    """What was committed lies in the log alone; it is written into the file while a connection still has the log."""
    Path(f"{file}-wal").unlink()
    with pytest.raises(JournalUnavailableError, match="log"):
        journal.record(entry(3))
    (lost,) = named(events, "journal_file_lost")
    assert lost["saved"] == "the content of the log"
    assert not journal.record(entry(1))
    assert journal.record(entry(4))
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_log_that_is_gone_is_opened_again_when_every_process_knows(sqlite_url: str, file: Path, way: Way) -> None:
    """Two processes with two logs of one file would destroy it; each looks once a second."""
    with Journal(sqlite_url, **way) as journal:
        journal.record(entry(1))
        Path(f"{file}-wal").unlink()
        with pytest.raises(JournalUnavailableError, match="log"):
            journal.record(entry(2))
        with pytest.raises(JournalUnavailableError, match="in a moment"):
            journal.record(entry(2))


def test_a_transaction_of_a_handler_is_not_trusted_either(journal: Journal, file: Path) -> None:
    """The handler's writes went where no path leads: the attempt has failed."""
    (claim, *_) = journal.claim(2, LEASE)
    with journal.transaction(5) as transaction:
        file.rename(file.with_name("elsewhere.db"))
        with pytest.raises(JournalUnavailableError):
            transaction.settle(ended(claim, State.DONE))


def test_a_vacuum_is_no_loss(journal: Journal, file: Path, events: list[dict[str, Any]]) -> None:
    """The file becomes shorter, and is whole: nothing is refused."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("CREATE TABLE waste (filling BLOB)")
        other.execute("INSERT INTO waste VALUES (zeroblob(1000000))")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert journal.record(entry(3))
        other.execute("DROP TABLE waste")
        other.execute("VACUUM")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert journal.record(entry(4))
    assert named(events, "journal_file_lost") == []


def fill(journal: Journal, file: Path, first: int) -> None:
    """Store many, and have all of them in the file itself."""
    journal.record_all([Entry(replace(message(number), body="x" * 300), START) for number in range(first, first + 200)])
    with closing(sqlite3.connect(f"file:{file}?mode=rw", uri=True)) as other:
        assert other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[0] == 0
    journal.record(entry(first + 50))


def test_an_older_copy_that_is_written_over_the_file_is_noticed(
    journal: Journal, file: Path, events: list[dict[str, Any]]
) -> None:
    """``cp backup.db journal.db`` leaves the file's place and number as they are, and a copy may be a whole journal."""
    fill(journal, file, 100)
    copy = file.with_name("copy.db")
    subprocess.run(["cp", file, copy], check=True)
    fill(journal, file, 300)
    subprocess.run(["cp", copy, file], check=True)  # another process: this one would give up SQLite's locks
    with pytest.raises(JournalUnavailableError, match="older copy"):
        journal.record(entry(1000))
    assert [event["file"] for event in named(events, "journal_file_lost")] == [str(file)]


def test_an_older_copy_of_the_same_size_is_noticed_by_its_mark(
    journal: Journal, file: Path, events: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal whose old rows are purged does not grow: each minute in which it is written to counts a mark up."""
    monkeypatch.setattr(journal_files, "MARK_SECONDS", 0.0)
    journal.read(journal_files.journal_files_of).mark_at = 0.0
    fill(journal, file, 100)
    with closing(sqlite3.connect(f"file:{file}?mode=rw", uri=True, isolation_level=None)) as other:
        other.execute("CREATE TABLE waste (filling BLOB)")
        other.execute("INSERT INTO waste VALUES (zeroblob(2000000))")
        other.execute("DROP TABLE waste")
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")
    fill(journal, file, 400)
    copy = file.with_name("copy.db")
    subprocess.run(["cp", file, copy], check=True)
    fill(journal, file, 700)
    fill(journal, file, 1000)
    assert copy.stat().st_size == file.stat().st_size
    assert events == []
    subprocess.run(["cp", copy, file], check=True)
    with pytest.raises(JournalUnavailableError, match="older copy"):
        journal.record(entry(2000))
    assert [event["file"] for event in named(events, "journal_file_lost")] == [str(file)]


def test_a_mark_is_made_where_something_was_written(
    journal: Journal, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle service writes nothing; a busy one marks its file once a minute."""

    def mark() -> int:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as other:
            return int(other.execute("PRAGMA user_version").fetchone()[0])

    first = mark()
    journal.record(entry(10))
    assert mark() == first, "the minute is not over"
    monkeypatch.setattr(journal_files, "MARK_SECONDS", 0.0)
    journal.read(journal_files.journal_files_of).mark_at = 0.0
    journal.record(entry(11))
    assert mark() == first + 1
    for _ in range(3):
        assert journal.claim_deletions("EX0000001", 5, LEASE) == []
    assert mark() == first + 1


def test_the_files_are_the_owners_alone(sqlite_url: str, file: Path) -> None:
    """The file, the log and the index have no right for others from their first byte, whatever the umask."""
    before = os.umask(0)
    try:
        with Journal(sqlite_url) as journal:
            journal.record(entry(1))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["journal.db", "journal.db-wal", "journal.db-shm"], 0o600)


def test_a_new_file_is_made_private_before_it_is_opened(sqlite_url: str, file: Path) -> None:
    """Between making and opening there is no moment at which it could be read."""
    seen: list[int] = []
    connect = sqlite3.connect

    def looking(*arguments: Any, **options: Any) -> Any:
        seen.append(stat.S_IMODE(file.stat().st_mode))
        return connect(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", looking)
        patch.setattr("sqlite3.dbapi2.connect", looking)
        Journal(sqlite_url).close()
    assert set(seen) == {0o600}


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite+pysqlite:///:memory:",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file::memory:?cache=shared&uri=true",
        "sqlite:///file:journal?mode=memory&cache=shared&uri=true",
        "sqlite:///file:/journal?vfs=memdb&uri=true",
        "sqlite:/// ",
    ],
)
def test_a_url_that_keeps_nothing_is_refused(url: str) -> None:
    """A journal in memory would confirm what is gone at the next restart."""
    with pytest.raises(JournalUnavailableError, match=r"journal\.url .* keeps nothing"):
        Journal(url)


def test_a_uri_names_a_file_too(tmp_path: Path) -> None:
    """SQLite's own form of a path: blanks and signs that mean something elsewhere are part of the name."""
    file = tmp_path / "a journal #1?.db"
    for url in (f"sqlite:///{tmp_path}/a journal #1%3F.db", f"sqlite:///file:{tmp_path}/x.db?uri=true"):
        with Journal(url) as journal:
            assert journal.record(entry(1))
    assert {file.name, "x.db"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_who_only_looks_makes_no_journal(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Commands do not make a file, and no tables in an empty database."""
    fresh = engine == "postgresql" and request.getfixturevalue("postgresql").database()
    url = fresh or f"sqlite:///{tmp_path / 'journal.db'}"
    with pytest.raises(JournalUnavailableError):
        Journal(url, create=False)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(JournalUnavailableError):
        Journal(url, create=False)
    assert migrate_journal(url) is None
    with Journal(url, create=False) as journal:
        assert stored(journal) == 0


def test_a_log_that_grows_behind_a_reader_is_said(journal: Journal, file: Path, events: list[dict[str, Any]]) -> None:
    """Once, and again when it has doubled."""
    journal.read(journal_files.journal_files_of).alarm = 200_000
    numbers = count(10)

    def grown(times: int) -> bool:
        for number in islice(numbers, 10):
            journal.record(entry(number))
        return len(named(events, "journal_log_grows")) >= times

    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM notification").fetchone()
        wait_for(lambda: grown(1))
        wait_for(lambda: grown(2))
    assert len(named(events, "journal_log_grows")) < next(numbers) / 10
    wait_for(lambda: stored(journal) > 20)


def test_a_file_that_was_there_keeps_its_mode(sqlite_url: str, file: Path) -> None:
    """An operator may have given a group the right to read."""
    Journal(sqlite_url).close()
    file.chmod(0o640)
    Journal(sqlite_url).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
