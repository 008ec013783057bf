"""While no name in its folder changes, the write-ahead log is not looked at after each commit, nor trusted blindly."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Journal
from soap_handler.journal.databases import journal_files, sqlite_transaction
from tests.journal.entries import entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.journal.ways import Way


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(sqlite_url: str, way: Way, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """Open a journal that has settled: it relies on the folder."""
    monkeypatch.setattr(sqlite_transaction, "SETTLED_SECONDS", 0.0)
    monkeypatch.setattr(sqlite_transaction, "COARSE_SETTLED_SECONDS", 0.0)
    monkeypatch.setattr(sqlite_transaction, "LOOK_AT_LOG_SECONDS", 1000.0)
    with Journal(sqlite_url, **way) as opened:
        for number in range(10, 14):
            assert opened.record(entry(number))
        yield opened


def delete(file: Path) -> None:
    file.unlink()


def delete_log(file: Path) -> None:
    Path(f"{file}-wal").unlink()


def delete_both(file: Path) -> None:
    for name in ("", "-wal", "-shm"):
        Path(f"{file}{name}").unlink()


def move(file: Path) -> None:
    file.rename(file.with_name("elsewhere.db"))


def move_folder(file: Path) -> None:
    file.parent.rename(file.parent.with_name(f"{file.parent.name}-elsewhere"))


def replace_log(file: Path) -> None:
    shutil.copy(f"{file}-wal", f"{file}-copy")
    Path(f"{file}-copy").replace(f"{file}-wal")


def restore_log(file: Path) -> None:
    """Replace the log as rsync does, which gives the folder its former time back."""
    before = file.parent.stat()
    replace_log(file)
    os.utime(file.parent, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("take_away", [delete, delete_log, delete_both, move, move_folder, replace_log, restore_log])
def test_no_commit_is_confirmed_in_files_that_no_path_leads_to(
    journal: Journal, file: Path, take_away: Callable[[Path], None]
) -> None:
    """A name that is taken away or replaced changes the folder, whose time tells of it."""
    take_away(file)
    with pytest.raises(JournalUnavailableError, match="taken away"):
        journal.record(entry(3))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the log is looked at after each commit")
def test_the_log_is_left_alone_while_its_folder_is_as_it_was(
    journal: Journal, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at it would have the next commit wait for the disk once more."""
    looked: list[str] = []
    look = os.stat

    def noted(path: Any) -> os.stat_result:
        looked.append(str(path))
        return look(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", noted)
        assert journal.record(entry(14))
    assert str(file) in looked
    assert f"{file}-wal" not in looked


@pytest.mark.skipif(sys.platform != "linux", reason="as above")
@pytest.mark.parametrize(("step_ns", "settles_in"), [(1, 0.1), (2_000_000_000, 3.0)])
def test_a_folder_that_has_just_changed_is_not_relied_on(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, step_ns: int, settles_in: float
) -> None:
    """A second change within the same step of the file system's clock would not show; the log is seen now and then."""
    changed_at = [4_000_000_000 * step_ns + (step_ns == 1)]
    monkeypatch.setattr(sqlite_transaction, "folder_at", lambda _: (1, 2, changed_at[0]))
    with Journal(sqlite_url) as journal:
        opened = sqlite_transaction.OpenFiles(
            journal.read(journal_files.journal_files_of), sqlite_transaction.Files((1, 1), (1, 2))
        )
        for begin in (100.0, 200.0):
            answers = [
                sqlite_transaction.log_is_the_same(opened, begin + number * settles_in / 2.5) for number in range(4)
            ]
            assert answers == [False] * 4
            last = begin + 3 * settles_in / 2.5
            answers = [sqlite_transaction.log_is_the_same(opened, last + later) for later in (0.01, 0.9, 1.1, 1.2)]
            assert answers == [True, True, False, True]
            changed_at[0] += step_ns
