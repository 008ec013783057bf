"""What counts as handled twice, and what is an excuse for it."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import Attempt, Journal, State, Step, questions
from soap_handler.journal.questions.overview import look
from tests.campaigns.books import ROLLED_BACK, Books, Diary, seen_differently
from tests.journal.entries import LEASE, ended, entry

if TYPE_CHECKING:
    from pathlib import Path

KEY = "EX0000001/MessageReceived/1"
FIRST, SECOND = 101, 102


def books(folder: Path, diary: str, *attempts: Attempt) -> Books:
    """Return books with a diary and attempts of one notification."""
    url = f"sqlite:///{folder / 'journal.db'}"
    Journal(url).close()
    (folder / "diary.txt").write_text("".join(f"{line.replace('KEY', KEY)}\n" for line in diary.split("; ")))
    found = Books(url, folder / "diary.txt")
    found.attempts[KEY] = list(attempts)
    return found


def attempt(process: int, outcome: str, error: str | None = None) -> Attempt:
    now = datetime.now(UTC)
    return Attempt(Step.HANDLE, now, now + timedelta(seconds=1), outcome, error, f"host:{process}:ab:1")


def test_a_kill_in_the_midst_of_it_is_an_excuse(tmp_path: Path) -> None:
    """The killed process had begun, never settled, and the journal has its attempt as lost."""
    diary = f"start KEY {FIRST}; start KEY {SECOND}; end KEY {SECOND}"
    found = books(tmp_path, diary, attempt(FIRST, "lost"), attempt(SECOND, "ok"))
    assert list(found.handled_twice) == [KEY]
    assert found.unexcused({FIRST}) == []
    assert found.unexcused(set()) == [KEY], "but only if it was killed"


def test_without_a_lost_attempt_there_is_no_excuse(tmp_path: Path) -> None:
    """That a process was killed some time or other does not explain why it was handled before and after."""
    diary = f"start KEY {FIRST}; end KEY {FIRST}; start KEY {SECOND}; end KEY {SECOND}"
    found = books(tmp_path, diary, attempt(FIRST, "ok"), attempt(SECOND, "ok"))
    assert found.unexcused({FIRST}) == [KEY]


def test_one_process_has_no_excuse(tmp_path: Path) -> None:
    """Twice in one process is twice, killed or not."""
    diary = f"start KEY {FIRST}; end KEY {FIRST}; start KEY {FIRST}; end KEY {FIRST}"
    assert books(tmp_path, diary, attempt(FIRST, "lost")).unexcused({FIRST}) == [KEY]


def test_a_handler_that_failed_was_not_handled(tmp_path: Path) -> None:
    """After an exception or a hang it must be called again."""
    diary = (
        f"start KEY {FIRST}; fail KEY {FIRST}; start KEY {FIRST}; hang KEY {FIRST}; start KEY {FIRST}; end KEY {FIRST}"
    )
    assert books(tmp_path, diary).handled_twice == {}


def test_a_diary_that_was_cut_off(tmp_path: Path) -> None:
    """A call without an end did not end."""
    (tmp_path / "diary.txt").write_text(f"start {KEY} {FIRST}\n")
    assert Diary(tmp_path / "diary.txt").ended == set()


def test_a_transaction_that_was_undone_handled_nothing(tmp_path: Path) -> None:
    """A frozen host's transaction is ended by the database; only a transactional handler's effects go with it."""
    diary = f"start KEY {FIRST}; end KEY {FIRST}; start KEY {SECOND}; end KEY {SECOND}"
    undone = attempt(FIRST, "failed", f"JournalUnavailableError: {ROLLED_BACK}: cut")
    found = books(tmp_path, diary, undone, attempt(SECOND, "ok"))
    assert found.unexcused({FIRST}) == [KEY]
    found.effects = Counter([KEY])
    assert found.unexcused({FIRST}) == []


def test_what_counts_the_states_agrees(tmp_path: Path) -> None:
    """On rows of each state; a row that one of them leaves out is noticed."""
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    with Journal(url) as journal:
        journal.record_all([entry(number) for number in range(8)])
        first, second, third, *_ = journal.claim(5, LEASE)
        states = (State.HANDLED, State.DONE, State.DEAD)
        journal.settle(
            [ended(claim, state, error="no") for claim, state in zip((first, second, third), states, strict=True)]
        )
        assert seen_differently(journal) == []
        assert journal.read(questions.states)[State.RECEIVED] == 5

        overview = sys.modules[look.__module__]  # the package has a function of that name
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(overview, "states", lambda connection: {**questions.states(connection), State.DONE: 0})
            assert seen_differently(journal) == ["status and console: 0 done, of 1"]
