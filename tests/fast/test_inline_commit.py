"""Inline commit: on SQLite a small push is committed in its caller's own thread, if that is sure to be over soon."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from soap_handler.errors import JournalUnavailableError
from soap_handler.fast.inline_commit import ENTRIES_INLINE
from soap_handler.journal import Entry, Journal, Selection
from tests.journal.engines import writers_held_up
from tests.journal.entries import entry, message
from tests.journal.ways import FAST
from tests.support.database import each_commit

if TYPE_CHECKING:
    from pathlib import Path


QUICK_COMMITS: Final = 16


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal.db'}"


def get_quick(journal: Journal) -> None:
    """Record the same entry until the caller's own commits have been quick for a while; the first ones compile much.

    A pause of the machine, which the mean of so many hardly shows, then leaves no commit to the thread.
    """
    deadline, in_a_row = time.monotonic() + 20, 0
    while in_a_row < QUICK_COMMITS:
        assert time.monotonic() < deadline
        commit = journal.submit_all([entry(0)])
        in_a_row = in_a_row + 1 if commit.done() else 0
        commit.result(20)
        journal.release([])  # the thread has finished with everything before it


def test_a_quick_commit_needs_no_other_thread(url: str) -> None:
    """Where nobody else writes, what is handed in is on disk when the call returns, and the listeners know."""
    with Journal(url, **FAST) as journal:
        heard: list[int] = []
        journal.listen(lambda: heard.append(1))
        for number in range(1, 200, 2):  # on a busy machine the very one that counts may be slow
            get_quick(journal)
            heard.clear()
            commit = journal.submit_all([entry(number), entry(0), entry(number + 1)])
            if commit.done():
                break
            commit.result(20)
        assert commit.done()
        assert commit.result() == [True, False, True]
        assert heard == [1]
        assert len(journal.records(Selection())) == number + 2


def test_who_finds_the_disk_busy_leaves_the_commit_to_the_thread(url: str) -> None:
    """While another process writes, the call returns at once; the commit follows when it has ended."""
    with Journal(url, **FAST) as journal:
        get_quick(journal)
        with writers_held_up(url):
            commit = journal.submit_all([entry(1)])
            assert not commit.done()
        assert commit.result(30) == [True]


def test_on_a_slow_disk_the_thread_commits(url: str) -> None:
    """A disk that takes long holds up the caller for a few commits; the rest are the thread's until it is quick."""
    with Journal(url, **FAST) as journal:
        get_quick(journal)
        by: list[str] = []
        pause = 0.02

        def commit(_: object) -> None:
            by.append(threading.current_thread().name)
            time.sleep(pause)

        with each_commit(url, commit):
            for number in range(1, 61):
                assert journal.record_all([entry(number)]) == [True]
                pause = 0.02 if number < 20 else 0.0
    mine = threading.current_thread().name
    assert by[0] == mine
    assert by[5:20] == ["journal"] * 15
    assert by[-1] == mine


def test_what_fails_in_the_callers_thread_fails_alone(url: str) -> None:
    """Its error is the future's, as ever; the next one is stored."""
    unfit: Any = None
    with Journal(url, **FAST) as journal:
        get_quick(journal)
        with pytest.raises(JournalUnavailableError):
            journal.submit_all([Entry(message(99), received_at=unfit)]).result(30)
        assert journal.record_all([entry(1)]) == [True]


def test_a_large_push_is_left_to_the_thread(url: str) -> None:
    """Its commit would hold up the caller for too long."""
    with Journal(url, **FAST) as journal:
        get_quick(journal)
        by: list[str] = []
        with each_commit(url, lambda _: by.append(threading.current_thread().name)):
            commit = journal.submit_all([entry(number) for number in range(ENTRIES_INLINE + 1)])
            assert commit.result(30).count(True) == ENTRIES_INLINE
        assert by == ["journal"]


def test_a_closed_journal_commits_nothing_inline(url: str) -> None:
    """After the end a push fails at once."""
    journal = Journal(url, **FAST)
    get_quick(journal)
    journal.close()
    assert not journal.commits_inline
    with pytest.raises(JournalUnavailableError, match="closed"):
        journal.record_all([entry(1)])
