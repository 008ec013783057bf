"""Transactional handlers: what they write and "handled" are committed together, or not at all. On both engines."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from soap_handler import Handlers, MessageReceived, Notification
from soap_handler.errors import TransactionError
from soap_handler.journal import Entry, Journal, Selection, State, Step
from soap_handler.notifications import Kind
from soap_handler.settings import HandlerSettings
from tests.journal.entries import message
from tests.support import database
from tests.support.waiting import wait_for
from tests.system.postgresql.server import Line, listeners
from tests.system.postgresql.transactional import dispatching, effects, ended, make_table, state, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.system.postgresql.server import StoppableServer
    from tests.system.postgresql.transactional import Work


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    make_table(url)
    with Journal(url) as opened:
        yield opened


def test_what_it_writes_is_committed_with_handled(journal: Journal) -> None:
    """Both are there, and the attempt with them; before the commit, nobody else sees anything."""
    seen: list[int] = []

    def handle(told: Notification, connection: Connection) -> None:
        write(told, connection)
        seen.append(effects(journal))

    with dispatching(journal, handle):
        state, attempts = ended(journal)
    assert (state, [attempt.outcome for attempt in attempts]) == (State.DONE, ["ok"])
    assert (seen, effects(journal)) == ([0], 1)


def test_what_a_failed_attempt_wrote_is_gone(journal: Journal) -> None:
    """Raising rolls back; the attempt counts and is made again, and only the good one leaves a trace."""
    calls: list[str] = []

    def handle(told: Notification, connection: Connection) -> None:
        write(told, connection)
        calls.append(told.key)
        if len(calls) == 1:
            raise ValueError("not yet")

    with dispatching(journal, handle):
        state, attempts = ended(journal)
    assert (state, [attempt.outcome for attempt in attempts]) == (State.DONE, ["failed", "ok"])
    assert attempts[0].error == "ValueError: not yet"
    assert effects(journal) == 1


def test_a_handler_that_does_not_use_its_connection_is_settled(journal: Journal) -> None:
    """It need not write anything."""
    with dispatching(journal, lambda *_: None):
        assert ended(journal)[0] is State.DONE


def commits(_told: Notification, connection: Connection) -> None:
    connection.commit()


def rolls_back(_told: Notification, connection: Connection) -> None:
    connection.rollback()


def closes(_told: Notification, connection: Connection) -> None:
    connection.close()


def says_commit(_told: Notification, connection: Connection) -> None:
    connection.exec_driver_sql("commit")


def says_rollback(_told: Notification, connection: Connection) -> None:
    connection.exec_driver_sql("ROLLBACK")


def hides_it(_told: Notification, connection: Connection) -> None:
    try:
        connection.commit()
    except TransactionError:
        return


@pytest.mark.parametrize("end", [commits, rolls_back, closes, says_commit, says_rollback, hides_it])
def test_ending_the_transaction_is_not_the_handlers_business(journal: Journal, end: Work) -> None:
    """Commit, roll back, close, in Python or in SQL: an error that says so, and nothing of it is stored."""

    def handle(told: Notification, connection: Connection) -> None:
        write(told, connection)
        end(told, connection)

    with dispatching(journal, handle):
        state, attempts = ended(journal)
    assert state is State.DEAD
    assert all("must not commit, roll back or close" in str(attempt.error) for attempt in attempts)
    assert effects(journal) == 0


def test_a_part_can_be_rolled_back_alone(journal: Journal) -> None:
    """begin_nested() is the handler's to use."""

    def handle(told: Notification, connection: Connection) -> None:
        write(told, connection)
        with connection.begin_nested() as part:
            write(told, connection)
            part.rollback()
        with connection.begin_nested():
            write(told, connection)

    with dispatching(journal, handle):
        assert ended(journal)[0] is State.DONE
    assert effects(journal) == 2


def test_a_session_can_be_used(journal: Journal) -> None:
    """The ORM too: its commit is a flush then."""

    def handle(told: Notification, connection: Connection) -> None:
        with Session(connection) as session:
            session.execute(text("INSERT INTO effect VALUES (:key)"), {"key": told.key})
            session.commit()
        if len(journal.history(1)) == 0:
            raise ValueError("not yet")

    with dispatching(journal, handle):
        assert ended(journal)[0] is State.DONE
    assert effects(journal) == 1


def test_a_lost_lease_rolls_everything_back(journal: Journal, url: str) -> None:
    """Somebody else has taken the notification meanwhile: their result stands, and ours leaves nothing."""

    def handle(told: Notification, connection: Connection) -> None:
        with database.opened(url) as other:
            other.execute(text("UPDATE notification SET owner = 'somebody else'"))
        write(told, connection)

    with dispatching(journal, handle, HandlerSettings(threads=1, timeout=30)):
        wait_for(lambda: journal.history(1))
    (attempt,) = journal.history(1)
    assert (attempt.outcome, state(journal), effects(journal)) == ("failed, too late", State.RECEIVED, 0)
    assert "lease" in str(attempt.error)


def test_a_handler_that_hangs_holds_up_nobody(journal: Journal) -> None:
    """When it is given up, its transaction is rolled back; it can go on with nothing, and a later attempt succeeds."""
    go = threading.Event()
    calls: list[str] = []

    def handle(told: Notification, connection: Connection) -> None:
        calls.append(told.key)
        first = len(calls) == 1
        write(told, connection)
        if first:
            go.wait(20)
            write(told, connection)

    with dispatching(journal, handle, HandlerSettings(threads=1, timeout=0.5, backoff=0.01)) as dispatcher:
        wait_for(lambda: dispatcher.hanging)
        assert journal.record(Entry(message(2), datetime.now(UTC))), "the lock is free again"
        wait_for(lambda: {record.state for record in journal.records(Selection())} == {State.DONE})
        go.set()
        wait_for(lambda: not dispatcher.hanging)
    assert len(calls) == 3
    assert effects(journal) == 2


def test_being_slow_before_the_first_statement_holds_up_nobody(journal: Journal) -> None:
    """The lock that every writer needs is taken by the first statement, not before."""

    def handle(told: Notification, connection: Connection) -> None:
        assert journal.record(Entry(message(2), datetime.now(UTC))) or told.key != message(1).key
        write(told, connection)

    with dispatching(journal, handle):
        wait_for(lambda: [record.state for record in journal.records(Selection())] == [State.DONE] * 2)
    assert {attempt.outcome for _, attempt in journal.attempts() if attempt.step is Step.HANDLE} == {"ok"}


def test_many_at_once_are_each_done_once(journal: Journal) -> None:
    """With several threads, while notifications come in."""
    with dispatching(journal, write, HandlerSettings(threads=4)):
        for number in range(2, 60):
            journal.record(Entry(message(number), datetime.now(UTC)))
        wait_for(lambda: journal.counts().get((Kind.MESSAGE_RECEIVED, State.DONE)) == 59)
    assert effects(journal) == 59


def test_a_commit_whose_answer_is_lost_is_not_made_twice(tmp_path: Path, stoppable: StoppableServer) -> None:
    """The server committed and nobody heard of it: the failure that is reported then finds the lease gone."""
    url = stoppable.database()
    line = Line(tmp_path, stoppable)
    try:
        with Journal(url.replace(str(stoppable.folder), str(tmp_path))) as journal:
            make_table(url)

            def handle(told: Notification, connection: Connection) -> None:
                write(told, connection)
                wait_for(lambda: listeners(journal) == 1)  # whose session begins with commits of its own
                line.lose_next_commit = True

            with dispatching(journal, handle, HandlerSettings(threads=1, timeout=5)):
                wait_for(lambda: line.lost == 1)
                wait_for(lambda: len(journal.history(1)) == 2)
            assert [attempt.outcome for attempt in journal.history(1)] == ["ok", "failed, too late"]
            assert (state(journal), effects(journal)) == (State.DONE, 1)
    finally:
        line.close()


def test_the_decorators_tell_the_two_forms_apart() -> None:
    """With brackets and without; each kind knows what its handler takes."""
    handlers = Handlers()

    @handlers.message_received(transactional=True)
    def on_message(message: MessageReceived, connection: Connection) -> None:
        """Write."""

    @handlers.all_kinds
    def on_others(told: Notification) -> None:
        """Read."""

    @handlers.all_kinds()
    def on_nothing_left(told: Notification) -> None:
        """Read."""

    assert handlers.get(Kind.MESSAGE_RECEIVED) is on_message
    assert handlers.get(Kind.MESSAGE_ERROR) is on_others
    assert [kind for kind in Kind if handlers.is_transactional(kind)] == [Kind.MESSAGE_RECEIVED]
    with pytest.raises(ValueError, match="has a handler already"):
        handlers.message_received()(lambda _: None)
