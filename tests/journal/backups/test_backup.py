"""Backup: a consistent copy while others write, verified, on disk, for its owner alone, and never half of one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from soap_handler.errors import BackupError
from soap_handler.journal import Journal, Selection, State
from soap_handler.journal.backups import pg_tools
from soap_handler.journal.backups.backup import back_up
from tests.journal.entries import entry
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from tests.journal.engines import PostgreSQL


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal.db'}"


def of(file: Path) -> str:
    return f"sqlite:///{file}"


def test_a_copy_is_a_snapshot_while_others_write(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service writes all the time; the copy is a moment of it, not a mixture, and does not begin anew for ever."""
    monkeypatch.setattr("soap_handler.journal.backups.backup.PAGES_PER_STEP", 20)
    before = 500
    with Journal(url) as journal:
        journal.record_all([entry(number) for number in range(before)])
        stop = threading.Event()
        steps: list[int] = []

        def write() -> None:
            number = before
            while not stop.is_set():
                journal.record(entry(number))
                number += 1

        writer = threading.Thread(target=write)
        writer.start()

        def show(left: int, _total: int) -> None:  # between two steps others commit
            steps.append(left)
            known = journal.counts()
            wait_for(lambda: journal.counts() != known)

        try:
            made = back_up(url, tmp_path / "copy.db", show)
        finally:
            stop.set()
            writer.join()
        later = len(journal.records(Selection()))
    assert len(steps) > 3
    assert steps == sorted(steps, reverse=True), "it never began anew"
    with Journal(of(made.file)) as copy:
        found = [record.seq for record in copy.records(Selection())]
    assert found == list(range(len(found), 0, -1))
    assert before <= len(found) == made.notifications < later


def test_it_is_one_file_for_its_owner_alone(url: str, tmp_path: Path) -> None:
    """Nothing lies beside it that could be forgotten, and no temporary file is left."""
    with Journal(url) as journal:
        journal.record(entry(1))
        folder = tmp_path / "backups"
        folder.mkdir()
        before = os.umask(0)
        try:
            made = back_up(url, folder / "copy.db")
        finally:
            os.umask(before)
    assert list(folder.iterdir()) == [made.file]
    assert made.file.stat().st_mode & 0o777 == 0o600
    assert (made.states, made.size) == ({State.RECEIVED: 1}, made.file.stat().st_size)
    assert made.file.read_bytes()[18:20] == b"\1\1", "it says that it has no write-ahead log"


def test_it_is_on_disk_before_it_has_its_name(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is fsync'd before, its folder after."""
    synced: list[tuple[int, bool]] = []
    target = tmp_path / "copy.db"

    def noting(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, target.exists()))

    Journal(url).close()
    monkeypatch.setattr("soap_handler.whole_file.os.fsync", noting)
    made = back_up(url, target)
    assert synced == [(made.file.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_a_file_that_is_there_stays(url: str, tmp_path: Path) -> None:
    """Without force, also where it comes there while the copy is made; with it, it is replaced whole."""
    target = tmp_path / "copy.db"
    with Journal(url) as journal:
        journal.record(entry(1))
        target.write_text("precious")
        with pytest.raises(BackupError, match="--force"):
            back_up(url, target)
        target.unlink()

        def come(_left: int, _total: int) -> None:
            target.write_text("precious")

        with pytest.raises(BackupError, match="--force"):
            back_up(url, target, come)
        assert target.read_text() == "precious"
        assert back_up(url, target, force=True).notifications == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "journal.db"]


@pytest.mark.parametrize("name", ["journal.db", "journal.db-wal", "link.db", "other.db"])
def test_the_journal_itself_is_never_overwritten(url: str, tmp_path: Path, name: str) -> None:
    """Under none of its names, whatever is forced."""
    with Journal(url) as journal:
        journal.record(entry(1))
        (tmp_path / "link.db").symlink_to("journal.db")
        (tmp_path / "other.db").hardlink_to(tmp_path / "journal.db")
        with pytest.raises(BackupError, match="the journal itself"):
            back_up(url, tmp_path / name, force=True)
        assert len(journal.records(Selection())) == 1


def test_a_damaged_copy_is_not_kept(url: str, tmp_path: Path) -> None:
    """All of it is looked at before it gets its name."""

    def damage(left: int, _total: int) -> None:
        (copy,) = tmp_path.glob(".copy.db.*.part")
        if not left:
            with copy.open("r+b") as file:
                file.seek(-5000, os.SEEK_END)
                file.write(b"\xff" * 2000)

    with Journal(url) as journal:
        journal.record_all([entry(number) for number in range(200)])
        with pytest.raises(BackupError, match=r"damaged|could not be copied"):
            back_up(url, tmp_path / "copy.db", damage)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.db"]


def test_what_is_no_journal_is_not_backed_up(tmp_path: Path) -> None:
    """A file that is not there, an empty one, a database of others; no file comes of it."""
    file = tmp_path / "journal.db"
    for content in (None, "empty", "CREATE TABLE other (x)"):
        if content is not None:
            with closing(sqlite3.connect(file)) as connection:
                connection.execute("VACUUM" if content == "empty" else content)
        with pytest.raises(BackupError, match="journal"):
            back_up(of(file), tmp_path / "copy.db")
        assert not (tmp_path / "copy.db").exists()


def test_for_postgresql_there_are_commands_without_the_password() -> None:
    """They name what to connect to, quoted for the shell; libpq asks for the password, or reads ~/.pgpass."""
    url = "postgresql+psycopg://me:s3cret@db.example:5433/sms?password=s3cret"
    for command in (pg_tools.dump_command, pg_tools.restore_command):
        found = command(url, Path("my copy.dump"))
        assert "s3cret" not in found
        assert "postgresql://me@db.example:5433/sms" in found
        assert "my copy.dump'" in found


def test_the_commands_for_postgresql_back_up_and_restore(postgresql: PostgreSQL, tmp_path: Path) -> None:
    """As they are printed; what came after the backup is gone."""
    if shutil.which("pg_dump") is None or shutil.which("pg_restore") is None:
        pytest.skip("pg_dump is not installed")
    url, file = postgresql.database(), tmp_path / "my copy.dump"
    with Journal(url) as journal:
        journal.record(entry(1))
        subprocess.run(pg_tools.dump_command(url, file), shell=True, check=True, timeout=60)  # noqa: S602 - as an operator does
        journal.record(entry(2))
    subprocess.run(pg_tools.restore_command(url, file), shell=True, check=True, timeout=60)  # noqa: S602 - as an operator does
    with Journal(url) as journal:
        assert len(journal.records(Selection())) == 1
        assert journal.record(entry(3)), "the numbers of the rows go on"
