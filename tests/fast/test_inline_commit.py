"""Inline commit: on SQLite a small push is committed in its caller's own thread, if that is sure to be over soon."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.errors import JournalUnavailableError
from soap_handler.fast import inline_commit
from soap_handler.fast.inline_commit import ENTRIES_INLINE, QUICK_SECONDS
from soap_handler.journal import Entry, Journal, Selection
from tests.journal.engines import writers_held_up
from tests.journal.entries import entry, message
from tests.journal.ways import FAST
from tests.support.database import each_commit

if TYPE_CHECKING:
    from pathlib import Path


class DiskClock:
    """The clock by which transactions are timed: none takes any time, unless a test lets it pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> DiskClock:
    """Have no test rely on how quick the machine is just now."""
    clock = DiskClock()
    monkeypatch.setattr(inline_commit, "time", clock)
    return clock


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal.db'}"


def connected(journal: Journal) -> None:
    """Return when the thread has the connection, and has finished with everything before."""
    journal.record_all([entry(0)])
    journal.release([])


def test_a_quick_commit_needs_no_other_thread(url: str) -> None:
    """Where nobody else writes, what is handed in is on disk when the call returns, and the listeners know."""
    with Journal(url, **FAST) as journal:
        heard: list[int] = []
        journal.listen(lambda: heard.append(1))
        connected(journal)
        heard.clear()
        commit = journal.submit_all([entry(1), entry(0), entry(2)])
        assert commit.done()
        assert commit.result() == [True, False, True]
        assert heard == [1]
        assert len(journal.records(Selection())) == 3


def test_who_finds_the_disk_busy_leaves_the_commit_to_the_thread(url: str) -> None:
    """While another process writes, the call returns at once; the commit follows when it has ended."""
    with Journal(url, **FAST) as journal:
        connected(journal)
        with writers_held_up(url):
            commit = journal.submit_all([entry(1)])
            assert not commit.done()
        assert commit.result(30) == [True]


def test_on_a_slow_disk_the_thread_commits(url: str, clock: DiskClock) -> None:
    """A disk that takes long holds up the caller for a few commits; the rest are the thread's until it is quick."""
    with Journal(url, **FAST) as journal:
        connected(journal)
        commits: list[str] = []
        pushes: list[str] = []
        seconds = 4 * QUICK_SECONDS

        def commit(_: object) -> None:
            commits.append(threading.current_thread().name)
            clock.now += seconds

        with each_commit(url, commit):
            for number in range(1, 61):
                commits.clear()
                assert journal.record_all([entry(number)]) == [True]
                pushes.append(commits[0])
                journal.release([])  # the thread has finished with the push
                seconds = 4 * QUICK_SECONDS if number < 20 else 0.0
    mine = threading.current_thread().name
    assert pushes[0] == mine
    assert pushes[5:20] == ["journal"] * 15
    assert pushes[-1] == mine


def test_what_fails_in_the_callers_thread_fails_alone(url: str) -> None:
    """Its error is the future's, as ever; the next one is stored."""
    unfit: Any = None
    with Journal(url, **FAST) as journal:
        connected(journal)
        with pytest.raises(JournalUnavailableError):
            journal.submit_all([Entry(message(99), received_at=unfit)]).result(30)
        assert journal.record_all([entry(1)]) == [True]


def test_a_large_push_is_left_to_the_thread(url: str) -> None:
    """Its commit would hold up the caller for too long."""
    with Journal(url, **FAST) as journal:
        connected(journal)
        by: list[str] = []
        with each_commit(url, lambda _: by.append(threading.current_thread().name)):
            commit = journal.submit_all([entry(number) for number in range(ENTRIES_INLINE + 1)])
            assert commit.result(30).count(True) == ENTRIES_INLINE
        assert by == ["journal"]


def test_a_closed_journal_commits_nothing_inline(url: str) -> None:
    """After the end a push fails at once."""
    journal = Journal(url, **FAST)
    connected(journal)
    journal.close()
    assert not journal.commits_inline
    with pytest.raises(JournalUnavailableError, match="closed"):
        journal.record_all([entry(1)])
