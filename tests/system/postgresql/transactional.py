"""What the tests of transactional handlers share: a table of effects, a dispatcher at work, and how it ended."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from soap_handler import Handlers, Notification
from soap_handler.dispatch.destination import of_handlers
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.journal import Attempt, Entry, Journal, Selection, State
from soap_handler.settings import HandlerSettings
from tests.journal.entries import message
from tests.support.database import opened
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    Work = Callable[[Notification, Connection], None]

QUICK = HandlerSettings(threads=2, timeout=0.5, max_attempts=2, backoff=0.01, backoff_cap=0.02)
"""A second attempt comes at once; a lease is of under two seconds."""


def make_table(url: str) -> None:
    with opened(url) as connection:
        connection.execute(text("CREATE TABLE effect (key TEXT)"))


def effects(journal: Journal) -> int:
    return journal.read(lambda connection: int(connection.execute(text("SELECT count(*) FROM effect")).scalar_one()))


def write(told: Notification, connection: Connection) -> None:
    connection.execute(text("INSERT INTO effect VALUES (:key)"), {"key": told.key})


@contextmanager
def dispatching(journal: Journal, work: Work, settings: HandlerSettings = QUICK) -> Iterator[Dispatcher]:
    """Run this handler, for one message that is there."""
    handlers = Handlers()
    handlers.all_kinds(transactional=True)(work)
    dispatcher = Dispatcher(journal, of_handlers(handlers, settings), lambda _: False)
    journal.record(Entry(message(1), datetime.now(UTC)))
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop(10)


def state(journal: Journal) -> State:
    (record,) = journal.records(Selection())
    return record.state


def ended(journal: Journal) -> tuple[State, list[Attempt]]:
    """Wait until the message is done or dead; return which, and its attempts."""
    wait_for(lambda: state(journal) in {State.DONE, State.DEAD})
    (record,) = journal.records(Selection())
    return record.state, journal.history(record.seq)
