"""A journal that fails while handlers run: no handler runs again for it, and dispatch goes on."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine

from soap_handler.dispatch import run
from soap_handler.dispatch.destination import of_handlers
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.dispatch.handlers import Handlers
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Journal, Settlement, State, Step
from soap_handler.journal.databases import sqlite
from tests.dispatch.dispatching import (
    ACCOUNT,
    dispatching,
    entry,
    events,
    execute,
    in_state,
    outcomes,
    record_of,
    settings,
)
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from soap_handler.notifications import Notification


def locked(url: str) -> Connection:
    """Take the lock that every writer needs; closing the connection gives it back."""
    connection = create_engine(url).connect()
    connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr] # it is connected
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    return connection


def unlock(connection: Connection) -> None:
    connection.exec_driver_sql("ROLLBACK")
    connection.close()
    connection.engine.dispose()


def test_a_result_is_settled_later_without_running_the_handler_again(
    url: str, monkeypatch: pytest.MonkeyPatch, log: list[Any]
) -> None:
    """While the journal is out of reach, beyond the lease even, the result is kept; it is settled when it can be."""
    monkeypatch.setattr(sqlite, "PRAGMAS", (*sqlite.PRAGMAS, "busy_timeout = 30"))
    handled: list[Notification] = []
    may_end = threading.Event()

    def handle(notification: Notification) -> None:
        handled.append(notification)
        assert may_end.wait(10)

    with Journal(url) as journal, dispatching(journal, handle, timeout=0.4) as dispatcher:
        journal.record(entry(1))
        wait_for(lambda: handled)
        lock = locked(url)
        may_end.set()
        wait_for(lambda: events(log, "settling_failed"))
        wait_for(lambda: record_of(journal, 1).due_at < journal.now())  # type: ignore[operator] # it is leased
        unlock(lock)
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
        wait_for(lambda: not dispatcher.busy)
        assert len(handled) == 1
    assert events(log, "dispatch_waits_for_journal")


def test_a_row_claimed_before_its_result_arrived_takes_that_result(journal: Journal) -> None:
    """The result belongs to the row: under a newer lease it is settled at once, and the handler is left alone."""
    handled: list[Notification] = []
    handlers = Handlers()
    handlers.all_kinds(handled.append)
    deaf = DeafFor(journal, settlements=2)  # the first time, and once more before the claim
    dispatcher = Dispatcher(deaf, of_handlers(handlers, settings()), {ACCOUNT}.__contains__)  # type: ignore[arg-type] # it stands for the journal
    journal.record(entry(1))
    (early,) = journal.claim(1, timedelta(microseconds=-1))
    dispatcher.results.add(
        Settlement(early, Step.HANDLE, State.HANDLED, datetime.now(UTC), early.leased_at, early.leased_at)
    )
    dispatcher.start()
    wait_for(lambda: in_state(journal, State.HANDLED) == 1)
    wait_for(lambda: not dispatcher.busy)
    assert dispatcher.stop(5)
    assert handled == []
    assert outcomes(journal, 1) == ["lost", "ok"]


class DeafFor:
    """A journal that does not take the first results."""

    def __init__(self, journal: Journal, settlements: int) -> None:
        self._journal = journal
        self._left = settlements

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def submit_settlements(self, settlements: Sequence[Settlement]) -> Future[list[bool]]:
        if not self._left:
            return self._journal.submit_settlements(settlements)
        self._left -= 1
        refused: Future[list[bool]] = Future()
        refused.set_exception(JournalUnavailableError("out of reach"))
        return refused


def test_a_file_that_is_taken_away_is_noticed_while_nothing_comes(
    journal: Journal, tmp_path: Path, log: list[Any]
) -> None:
    """Each second the dispatcher looks for work, so a person hears of it before the next push is refused."""
    with dispatching(journal, lambda _: None):
        journal.record(entry(1))
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
        (tmp_path / "journal.db").unlink()
        wait_for(lambda: events(log, "journal_file_lost"), 10)


def test_a_claim_that_took_too_long_is_given_back(journal: Journal, log: list[Any]) -> None:
    """With too little left of the lease a handler is not begun: another might begin it as well."""
    handled: list[Notification] = []
    journal.record(entry(1))
    slow = SlowOnce(journal)
    with dispatching(slow, handled.append, timeout=0.1):  # type: ignore[arg-type] # it stands for the journal
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
    assert events(log, "claim_took_too_long")
    assert (len(handled), record_of(journal, 1).attempts) == (1, 1)
    assert outcomes(journal, 1) == ["ok"]


class SlowOnce:
    """A journal whose first claim comes back late."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._late = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def claim(self, limit: int, lease: timedelta, **terms: Any) -> object:
        claims = self._journal.claim(limit, lease, **terms)
        if not self._late:
            self._late = True
            time.sleep(1.1)  # the fault to show is exactly this delay
        return claims


@pytest.mark.parametrize("verb", ["transaction", "begin"])
def test_a_journal_out_of_reach_is_no_attempt(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, log: list[Any], verb: str
) -> None:
    """While there is no connection for a transaction, or no commit for a begin, no handler is called or blamed."""
    monkeypatch.setattr(run, "NOT_BEGUN_PAUSE", timedelta(milliseconds=5))
    handled: list[Notification] = []
    handlers = Handlers()
    handlers.all_kinds(transactional=True)(lambda told, _: handled.append(told))
    journal.record(entry(1))
    if verb == "begin":  # of a suspect alone
        assert journal.claim(1, timedelta(microseconds=-1))
    busy = BusyFor(journal, 20, verb)
    with dispatching(busy, handlers, max_attempts=1):  # type: ignore[arg-type] # it stands for the journal
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
    assert (len(handled), record_of(journal, 1).attempts) == (1, 1)
    assert [outcome for outcome in outcomes(journal, 1) if outcome != "lost"] == ["ok"]
    assert len(events(log, "handler_not_begun")) == 1, "twenty times is said once a minute"


class BusyFor:
    """A journal whose database has no connection left for so many calls of a verb."""

    def __init__(self, journal: Journal, calls: int, verb: str) -> None:
        self._journal = journal
        self._left = calls
        self._verb = verb

    def __getattr__(self, name: str) -> Any:
        if name == self._verb and self._left:
            self._left -= 1
            raise JournalUnavailableError("no connection is free")
        return getattr(self._journal, name)


def test_dispatch_outlives_an_error_that_was_not_foreseen(journal: Journal, url: str, log: list[Any]) -> None:
    """A row that cannot even be claimed does not end the claiming thread."""
    journal.record(entry(1))
    execute(url, "UPDATE notification SET kind = 'Carrier pigeon'")
    handled: list[Notification] = []
    with dispatching(journal, handled.append):
        wait_for(lambda: events(log, "dispatch_broke"))
        execute(url, "UPDATE notification SET kind = 'MessageReceived'")
        wait_for(lambda: handled)
