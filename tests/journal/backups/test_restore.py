"""Restore: a copy takes the journal's place whole or not at all, and what was there is kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from soap_handler.errors import BackupError, SchemaError
from soap_handler.journal import Journal, Selection, Settlement, State, Step
from soap_handler.journal.backups.backup import back_up
from soap_handler.journal.backups.restore import restore
from soap_handler.journal.erasure.phone_number import Trace
from tests.journal.earlier import taken_back
from tests.journal.entries import entry


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def copy(url: str, tmp_path: Path) -> Path:
    """Make a copy of a journal with two notifications, of which one is handled later, and a third one comes."""
    with Journal(url) as journal:
        journal.record_all([entry(1), entry(2)])
        made = back_up(url, tmp_path / "copy.db").file
        (claim,) = journal.claim(1, timedelta(minutes=1))
        moment = journal.now()
        journal.settle([Settlement(claim, Step.HANDLE, State.DONE, None, moment, moment)])
        journal.record(entry(3))
    return made


def keys(url: str) -> set[str]:
    with Journal(url) as journal:
        return {record.key for record in journal.records(Selection())}


def test_the_copy_is_the_journal_and_the_former_one_is_kept(url: str, copy: Path, file: Path) -> None:
    """It says how much only the former one has, and how much is handled once more; the copy stays as it was."""
    before, content = keys(url), copy.read_bytes()
    done = restore(url, copy)
    assert (done.missing, done.again, done.backup.notifications) == (1, 1, 2)
    assert done.kept is not None
    assert keys(f"sqlite:///{done.kept}") == before
    assert len(keys(url)) == 2
    assert copy.read_bytes() == content
    assert file.stat().st_mode & 0o777 == 0o600
    assert not list(file.parent.glob(".*")), "no temporary file is left"


def test_what_was_erased_since_is_told(url: str, copy: Path) -> None:
    """The copy has the number still; so does one of a release that recorded no erasures."""
    with Journal(url) as journal:
        journal.erasures.erase(Trace("447700900123"))
    first = restore(url, copy)
    assert first.erasures == 1
    assert restore(url, copy).erasures == 0, "the journal that is there is a copy by now"
    assert first.kept is not None
    taken_back(f"sqlite:///{copy}", "0011")
    assert restore(url, first.kept, without_log=True).erasures == 0
    assert restore(url, copy, without_log=True).erasures == 1


def test_a_second_one_keeps_both(url: str, copy: Path) -> None:
    """Also within the same second."""
    first, second = restore(url, copy).kept, restore(url, copy).kept
    assert first is not None
    assert second is not None
    assert first != second
    assert len(keys(f"sqlite:///{first}")) == 3
    assert len(keys(f"sqlite:///{second}")) == 2


def test_a_held_journal_stays(url: str, copy: Path) -> None:
    """A service that runs, idle or not, would go on in the file that is kept aside."""
    with Journal(url) as journal:
        with pytest.raises(BackupError, match="stop it first"):
            restore(url, copy)
        assert journal.record(entry(4))
    assert len(keys(url)) == 4


def test_where_there_is_none_nothing_is_kept(url: str, copy: Path, file: Path) -> None:
    """As on a new machine."""
    for each in file.parent.glob("journal.db*"):
        each.unlink()
    done = restore(url, copy)
    assert (done.kept, done.missing, done.again) == (None, 0, 0)
    assert len(keys(url)) == 2


def test_rights_are_those_of_the_former_one(url: str, copy: Path, file: Path) -> None:
    """An operator may have opened it for a group."""
    file.chmod(0o640)
    restore(url, copy)
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_main_file_without_its_log_is_recognised(url: str, copy: Path, file: Path, tmp_path: Path) -> None:
    """What was committed last is in the log. With it, all is there, and neither file is changed by that."""
    main, log = tmp_path / "main.db", tmp_path / "main.db-wal"
    with Journal(url) as journal:
        shutil.copyfile(file, main)
        journal.record(entry(5))
        with pytest.raises(BackupError, match=r"without its write-ahead log \(main\.db-wal\)"):
            restore(url, main)
        shutil.copyfile(file, main)
        shutil.copyfile(f"{file}-wal", log)
    contents = main.read_bytes(), log.read_bytes()
    assert restore(url, main).backup.notifications == 4
    assert (main.read_bytes(), log.read_bytes()) == contents
    log.unlink()
    assert restore(url, main, without_log=True).backup.notifications < 4
    assert copy.exists()


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"\1" * 200])
def test_what_is_no_journal_changes_nothing(url: str, copy: Path, content: bytes) -> None:
    """The journal that is there stays in its place."""
    before = keys(url)
    copy.write_bytes(content)
    with pytest.raises(BackupError):
        restore(url, copy)
    assert keys(url) == before


def test_a_damaged_copy_changes_nothing(url: str, copy: Path) -> None:
    """It is named as it was given."""
    before = keys(url)
    with copy.open("r+b") as opened:
        opened.seek(-5000, os.SEEK_END)
        opened.write(b"\xff" * 4000)
    with pytest.raises(BackupError, match=r"copy\.db"):
        restore(url, copy)
    assert keys(url) == before


def test_tables_of_other_releases(url: str, copy: Path) -> None:
    """Those of an earlier one are brought up to date by the next start; those of a newer one are refused."""
    taken_back(f"sqlite:///{copy}", "0006")
    assert restore(url, copy, without_log=True).backup.revision == "0006"
    assert len(keys(url)) == 2
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match="9999"):
        restore(url, copy, without_log=True)
    assert len(keys(url)) == 2


def test_a_damaged_journal_is_kept_as_it_is(url: str, copy: Path, file: Path) -> None:
    """It is the reason for a restore; its log goes with it, and is not played into the copy."""
    file.write_bytes(b"\xff" * 8192)
    Path(f"{file}-wal").write_bytes(b"\xee" * 4096)
    done = restore(url, copy)
    assert (done.missing, done.again) == (None, None)
    assert done.kept is not None
    assert (done.kept.read_bytes(), Path(f"{done.kept}-wal").read_bytes()) == (b"\xff" * 8192, b"\xee" * 4096)
    assert len(keys(url)) == 2


def test_the_journal_is_no_copy_of_itself(url: str, copy: Path, file: Path) -> None:
    """It would be kept aside, and nothing else happen."""
    with pytest.raises(BackupError, match="the journal itself"):
        restore(url, file)
    assert copy.exists()
