"""Transactional handlers that end their transaction or spoil their connection: found out, and outlived."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.dispatch import run
from soap_handler.journal import Entry, Journal, Selection, State
from soap_handler.settings import HandlerSettings
from tests.journal.entries import message
from tests.support.database import listening
from tests.support.events import captured_events
from tests.support.waiting import wait_for
from tests.system.postgresql.transactional import dispatching, effects, ended, make_table, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from soap_handler import Notification
    from tests.system.postgresql.transactional import Work


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    make_table(url)
    with Journal(url) as opened:
        yield opened


@pytest.fixture
def log() -> Iterator[list[dict[str, Any]]]:
    with captured_events() as lines:
        yield lines


def says_it_behind_a_comment(_told: Notification, connection: Connection) -> None:
    connection.exec_driver_sql(" /* well */ ; -- then\n\tCOMMIT")


def commits_on_the_driver(_told: Notification, connection: Connection) -> None:
    connection.connection.commit()


def rolls_back_on_the_driver(_told: Notification, connection: Connection) -> None:
    connection.connection.rollback()


def says_it_on_the_cursor_of_the_driver(_told: Notification, connection: Connection) -> None:
    connection.connection.cursor().execute("/* a */ COMMIT")


def begins_another(_told: Notification, connection: Connection) -> None:
    cursor = connection.connection.cursor()
    cursor.execute("COMMIT")
    cursor.execute("BEGIN")


@pytest.mark.parametrize(
    "end",
    [
        says_it_behind_a_comment,
        commits_on_the_driver,
        rolls_back_on_the_driver,
        says_it_on_the_cursor_of_the_driver,
        begins_another,
    ],
)
def test_an_end_that_is_hidden_is_found_out(journal: Journal, end: Work, log: list[dict[str, Any]]) -> None:
    """Behind a comment it is refused; past SQLAlchemy it is noticed: never handled, and the attempt says why."""

    def handle(told: Notification, connection: Connection) -> None:
        write(told, connection)
        end(told, connection)

    with dispatching(journal, handle) as dispatcher:
        state, attempts = ended(journal)
        assert dispatcher.pool.threads == 2
    assert state is State.DEAD
    assert all("must not commit, roll back or close" in str(attempt.error) for attempt in attempts)
    assert not [event for event in log if event["event"] == "run_broke"]


def test_past_sqlalchemy_from_the_first_statement(journal: Journal, url: str) -> None:
    """The driver's connection used by itself: what it wrote is in the transaction, or the attempt fails."""

    def handle(_: Notification, connection: Connection) -> None:
        connection.connection.cursor().execute("INSERT INTO effect VALUES ('x')")

    with dispatching(journal, handle):
        state, attempts = ended(journal)
    if url.startswith("sqlite"):  # where the driver commits each statement
        assert state is State.DEAD
        assert all("must not commit" in str(attempt.error) for attempt in attempts)
    else:
        assert (state, effects(journal)) == (State.DONE, 1)


def detaches(_told: Notification, connection: Connection) -> None:
    connection.detach()


def closes_the_driver(_told: Notification, connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    driver.close()


def invalidates(_told: Notification, connection: Connection) -> None:
    connection.invalidate()


@pytest.mark.parametrize("leave", [detaches, closes_the_driver, invalidates])
def test_what_a_handler_does_to_its_connection_ends_no_thread(journal: Journal, leave: Work) -> None:
    """It is settled, handled or failed, and the thread takes the next one."""
    calls: list[str] = []

    def handle(told: Notification, connection: Connection) -> None:
        write(told, connection)
        calls.append(told.key)
        if len(calls) == 1:
            leave(told, connection)

    with dispatching(journal, handle, HandlerSettings(threads=1, timeout=5, backoff=0.01)) as dispatcher:
        assert ended(journal)[0] is State.DONE
        journal.record(Entry(message(2), datetime.now(UTC)))
        wait_for(lambda: [record.state for record in journal.records(Selection())] == [State.DONE] * 2)
        assert dispatcher.pool.threads == 1
    assert effects(journal) == 2


def test_a_database_without_a_free_connection_is_no_attempt(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """No handler was called, so nothing comes nearer to dead; it goes on when there is a connection."""
    monkeypatch.setattr(run, "NOT_BEGUN_PAUSE", timedelta(milliseconds=5))
    refused: list[None] = []

    def refuse(*_: object) -> None:
        if threading.current_thread().name == "handler" and len(refused) < 20:
            refused.append(None)
            raise OSError("too many connections")

    with listening("do_connect", refuse), listening("checkout", refuse), dispatching(journal, write):
        state, attempts = ended(journal)
    assert (len(refused), state, [attempt.outcome for attempt in attempts]) == (20, State.DONE, ["ok"])
    assert effects(journal) == 1
