"""LISTEN and NOTIFY: what one host commits wakes the others, also after the connection was lost."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from soap_handler.dispatch.destination import of_handlers
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.dispatch.handlers import Handlers
from soap_handler.journal import Journal, Selection
from soap_handler.journal.databases.listen_notify import NOTIFY_SECONDS
from soap_handler.settings import HandlerSettings
from tests.journal.entries import LEASE, entry
from tests.support.waiting import wait_for
from tests.system.postgresql.server import listeners

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.journal.engines import PostgreSQL
    from tests.system.postgresql.server import StoppableServer


@pytest.fixture
def both(postgresql: PostgreSQL) -> Iterator[tuple[Journal, Journal]]:
    """Two journals on one database, as two hosts have them."""
    url = postgresql.database()
    with Journal(url) as here, Journal(url) as there:
        yield here, there


def test_what_another_host_commits_is_heard_at_once(both: tuple[Journal, Journal]) -> None:
    """Once for each transaction, after its commit; a claim wakes nobody, and what one says oneself is not heard."""
    here, there = both
    heard: list[int] = []
    there.listen(lambda: heard.append(len(there.records(Selection()))))
    wait_for(lambda: listeners(there) == 1)
    here.record(entry(1))
    wait_for(lambda: heard == [1])
    assert here.claim(1, LEASE)
    here.record(entry(2))
    wait_for(lambda: heard == [1, 2])
    there.record(entry(3))
    wait_for(lambda: heard == [1, 2, 3])
    here.record(entry(4))
    wait_for(lambda: heard == [1, 2, 3, 4])


def test_a_dispatcher_begins_at_once(both: tuple[Journal, Journal]) -> None:
    """A notification that another host received is not left to the next poll, which here comes each ten seconds."""
    here, there = both
    handled: list[object] = []
    delays: list[float] = []
    handlers = Handlers()
    handlers.all_kinds(handled.append)
    settings = HandlerSettings(threads=2, timeout=3600)
    dispatcher = Dispatcher(there, of_handlers(handlers, settings), lambda _: False, poll_seconds=10.0)
    dispatcher.start()
    try:
        wait_for(lambda: listeners(there) == 1)
        for number in range(8):
            begun = time.monotonic()
            here.record(entry(number, datetime.now(UTC)))
            wait_for(lambda known=number: len(handled) == known + 1)  # type: ignore[misc] # mypy does not see the default
            delays.append(time.monotonic() - begun)
    finally:
        dispatcher.stop(5)
    assert sorted(delays)[4] < 2.5, delays  # the median of polls would be five


def test_the_listener_comes_back(both: tuple[Journal, Journal], postgresql: PostgreSQL) -> None:
    """Its connection is cut: it makes another, and wakes for what it may have missed."""
    here, there = both
    woken = threading.Event()
    there.listen(woken.set)
    wait_for(lambda: listeners(there) == 1)
    admin = postgresql.engine("postgres")
    with admin.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"))
    admin.dispose()
    assert woken.wait(10), "perhaps something was committed meanwhile"
    wait_for(lambda: listeners(there) == 1)
    woken.clear()
    here.record(entry(1))
    assert woken.wait(5)


def test_closing_does_not_wait_for_a_server_that_is_gone(stoppable: StoppableServer) -> None:
    """Also while the listener waits before it tries again."""
    journal = Journal(stoppable.database())
    journal.listen(lambda: None)
    wait_for(lambda: listeners(journal) == 1)
    stoppable.stop()
    try:
        began = time.monotonic()
        journal.close()
        assert time.monotonic() - began < 3
    finally:
        stoppable.start()


def test_closing_does_not_wait_where_the_others_are_yet_to_be_told(postgresql: PostgreSQL) -> None:
    """In the moment between a commit and the word of it, a stop is not taken for another commit."""
    journal = Journal(postgresql.database())
    journal.listen(lambda: None)
    wait_for(lambda: listeners(journal) == 1)
    journal.record(entry(1))  # of which the others are told at once
    journal.record(entry(2))
    time.sleep(NOTIFY_SECONDS / 4)  # to be in that moment
    began = time.monotonic()
    journal.close()
    assert time.monotonic() - began < 5


def test_a_burst_is_told_in_few_words_and_nothing_of_it_is_kept_back(both: tuple[Journal, Journal]) -> None:
    """Hundreds of commits wake the other host a few times, the last time after the last of them."""
    here, there = both
    heard: list[int] = []
    here.listen(lambda: None)
    there.listen(lambda: heard.append(len(there.records(Selection()))))
    wait_for(lambda: listeners(there) == 2)
    for number in range(300):
        here.record(entry(number))
    wait_for(lambda: heard[-1:] == [300])
    assert len(heard) < 150
