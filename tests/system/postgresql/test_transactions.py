"""Transactional handlers: what they write and "handled" are committed together, or not at all. On both engines."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from soap_handler import Handlers, MessageReceived, Notification
from soap_handler.dispatch import run
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.errors import TransactionError
from soap_handler.journal import Attempt, Entry, Journal, Selection, State
from soap_handler.notifications import Kind
from soap_handler.settings import HandlerSettings
from tests.journal.entries import message
from tests.support.events import captured_events
from tests.support.waiting import wait_for
from tests.system.postgresql.server import Line, listeners

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.system.postgresql.server import StoppableServer

    Work = Callable[[Notification, Connection], None]

QUICK = HandlerSettings(threads=2, timeout=0.5, max_attempts=2, backoff=0.01, backoff_cap=0.02)
"""A second attempt comes at once; a lease is of under two seconds."""


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal(url) as opened:
        make_table(opened)
        yield opened


@pytest.fixture
def log() -> Iterator[list[dict[str, Any]]]:
    with captured_events() as lines:
        yield lines


def make_table(journal: Journal) -> None:
    with journal._engine.begin() as connection:
        connection.execute(text("CREATE TABLE effect (key TEXT)"))


def effects(journal: Journal) -> int:
    with journal._engine.connect().execution_options(read_only=True) as connection:
        return int(connection.execute(text("SELECT count(*) FROM effect")).scalar_one())


def write(told: Notification, connection: Connection) -> None:
    connection.execute(text("INSERT INTO effect VALUES (:key)"), {"key": told.key})


@contextmanager
def dispatching(journal: Journal, work: Work, settings: HandlerSettings = QUICK) -> Iterator[Dispatcher]:
    """Run this handler, for one message that is there."""
    handlers = Handlers()
    handlers.all_kinds(transactional=True)(work)
    dispatcher = Dispatcher(journal, handlers, settings, lambda _: False)
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
    wait_for(lambda: state(journal) in {State.DONE, State.DEAD}, 20)
    (record,) = journal.records(Selection())
    return record.state, journal.history(record.seq)


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


def says_it_behind_a_comment(_told: Notification, connection: Connection) -> None:
    connection.exec_driver_sql(" /* well */ ; -- then\n\tCOMMIT")


def commits_on_the_driver(_told: Notification, connection: Connection) -> None:
    connection.connection.commit()


def rolls_back_on_the_driver(_told: Notification, connection: Connection) -> None:
    connection.connection.rollback()


def hides_it_in_nested_comments(_told: Notification, connection: Connection) -> None:
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
        hides_it_in_nested_comments,
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


def test_past_sqlalchemy_from_the_first_statement(journal: Journal) -> None:
    """The driver's connection used by itself: what it wrote is in the transaction, or the attempt fails."""

    def handle(_: Notification, connection: Connection) -> None:
        connection.connection.cursor().execute("INSERT INTO effect VALUES ('x')")

    with dispatching(journal, handle):
        state, attempts = ended(journal)
    if journal._engine.dialect.name == "sqlite":  # where the driver commits each statement
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
    monkeypatch.setattr(run, "_NOT_BEGUN_PAUSE", timedelta(milliseconds=5))
    refused: list[None] = []

    def refuse(*_: object) -> None:
        if threading.current_thread().name == "handler" and len(refused) < 20:
            refused.append(None)
            raise OSError("too many connections")

    event.listen(journal._engine, "do_connect", refuse)
    event.listen(journal._engine, "checkout", refuse)
    with dispatching(journal, write):
        state, attempts = ended(journal)
    assert (len(refused), state, [attempt.outcome for attempt in attempts]) == (20, State.DONE, ["ok"])
    assert effects(journal) == 1


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


def test_a_lost_lease_rolls_everything_back(journal: Journal) -> None:
    """Somebody else has taken the notification meanwhile: their result stands, and ours leaves nothing."""

    def handle(told: Notification, connection: Connection) -> None:
        with journal._engine.begin() as other:
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
        wait_for(lambda: {record.state for record in journal.records(Selection())} == {State.DONE}, 20)
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
    assert {attempt.outcome for _, attempt in journal.attempts()} == {"ok"}


def test_many_at_once_are_each_done_once(journal: Journal) -> None:
    """With several threads, while notifications come in."""
    with dispatching(journal, write, HandlerSettings(threads=4)):
        for number in range(2, 60):
            journal.record(Entry(message(number), datetime.now(UTC)))
        wait_for(lambda: journal.counts().get((Kind.MESSAGE_RECEIVED, State.DONE)) == 59, 20)
    assert effects(journal) == 59


def test_a_commit_whose_answer_is_lost_is_not_made_twice(tmp_path: Path, stoppable: StoppableServer) -> None:
    """The server committed and nobody heard of it: the failure that is reported then finds the lease gone."""
    url = stoppable.database()
    line = Line(tmp_path, stoppable)
    try:
        with Journal(url.replace(str(stoppable._folder), str(tmp_path))) as journal:
            make_table(journal)

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
