"""A disk that stands still: callers hear of it in time, each for itself, and a journal can be closed meanwhile."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Journal, Selection
from tests.journal.entries import LEASE, entry
from tests.support.database import each_commit
from tests.support.events import captured_events
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = 0.4


@pytest.fixture
def standing() -> Iterator[threading.Event]:
    """Hold up each commit from now on, until the event is set."""
    go_on = threading.Event()
    yield go_on
    go_on.set()


@pytest.fixture
def journal(sqlite_url: str, standing: threading.Event) -> Iterator[Journal]:
    with Journal(sqlite_url, timeout=TIMEOUT) as opened:
        opened.record(entry(1))
        with each_commit(sqlite_url, lambda _: standing.wait(30)):
            yield opened
            standing.set()


def test_who_comes_later_need_not_wait_as_long(journal: Journal) -> None:
    """Request threads are few: the next one is told at once that the disk has stood still for the whole time."""
    began = time.monotonic()
    for number in range(2, 6):
        with pytest.raises(JournalUnavailableError, match="did not commit within"):
            journal.record(entry(number))
    assert time.monotonic() - began < 2 * TIMEOUT


def test_every_verb_that_waits_has_a_limit(journal: Journal) -> None:
    """Claiming, settling and giving back as well as receiving."""
    for wait in (lambda: journal.claim(1, LEASE), lambda: journal.settle([]), lambda: journal.release([])):
        with pytest.raises(JournalUnavailableError, match="did not commit within"):
            wait()


def test_a_claim_that_comes_too_late_is_given_back(journal: Journal, standing: threading.Event) -> None:
    """Its caller had gone: nobody would handle it before the lease runs out."""
    with pytest.raises(JournalUnavailableError):
        journal.claim(1, LEASE)
    standing.set()
    wait_for(lambda: [record.leased for record in journal.records(Selection())] == [False])
    assert len(journal.claim(1, LEASE)) == 1


def test_a_journal_can_be_closed_meanwhile(journal: Journal) -> None:
    """It takes no longer than it is given; what was not begun fails, and it is said."""
    first = journal.submit(entry(2))
    wait_for(first.running)
    second = journal.submit(entry(3))
    began = time.monotonic()
    with captured_events() as events:
        assert not journal.close(0.1)
    assert time.monotonic() - began < 1
    assert isinstance(second.exception(1), JournalUnavailableError)
    assert [each["event"] for each in events] == ["journal_not_closed"]
