"""Dispatch: each rule with a real journal in a file, real threads, and handlers that do what they should not."""

from __future__ import annotations

import itertools
import statistics
import sys
import threading
import time
import uuid
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from sqlalchemy import create_engine, text

from soap_handler.dispatch import Dispatcher
from soap_handler.handlers import Handlers
from soap_handler.journal import Entry, Journal, Record, Selection, Settlement, State, Step, engine
from soap_handler.notifications import MessageEvent, MessageReceived, Notification, SubscriptionEvent
from soap_handler.settings import HandlerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping
    from pathlib import Path

    from sqlalchemy import Connection

    from soap_handler.journal import Claim

ACCOUNT = "EX0000001"


def message(number: int, account: str = ACCOUNT) -> MessageReceived:
    return MessageReceived(account=account, id=str(uuid.UUID(int=number + 1)), body=str(number))


def entry(number: int, account: str = ACCOUNT) -> Entry:
    return Entry(message(number, account), datetime.now(UTC))


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)  # between two polls


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal.db'}"


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal(url) as opened:
        yield opened


@pytest.fixture
def log() -> Iterator[list[MutableMapping[str, Any]]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def settings(**values: Any) -> HandlerSettings:
    return HandlerSettings(**{"threads": 2, "timeout": 30, "backoff": 0.01, "backoff_cap": 0.02, **values})


@contextmanager
def dispatching(
    journal: Journal, handler: Callable[[Notification], None] | Handlers, **values: Any
) -> Iterator[Dispatcher]:
    """Run a dispatcher; the account that has an inbox is ``ACCOUNT``."""
    handlers = handler if isinstance(handler, Handlers) else Handlers()
    if not isinstance(handler, Handlers):
        handlers.all_kinds(handler)
    dispatcher = Dispatcher(journal, handlers, settings(**values), {ACCOUNT}.__contains__)
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop(10)


def record_of(journal: Journal, number: int) -> Record:
    (record,) = journal.records(Selection(key=message(number).key))
    return record


def outcomes(journal: Journal, number: int) -> list[str]:
    return [one.outcome for one in journal.history(record_of(journal, number).seq)]


def in_state(journal: Journal, state: State) -> int:
    return len(journal.records(Selection(state=state)))


def events(log: list[MutableMapping[str, Any]], name: str) -> list[MutableMapping[str, Any]]:
    return [line for line in log if line["event"] == name]


# -- the plain way -----------------------------------------------------------------------------------------------------


def test_a_handler_starts_as_soon_as_the_push_is_committed(journal: Journal) -> None:
    """From the commit to the started handler: under 20 ms, in the median of fifty."""
    started: dict[str, float] = {}

    def handle(notification: Notification) -> None:
        started[notification.key] = time.perf_counter()

    delays = []
    with dispatching(journal, handle) as dispatcher:
        for number in range(50):
            journal.record(entry(number))
            answered = time.perf_counter()
            until(partial(started.get, message(number).key))
            delays.append(started[message(number).key] - answered)
            until(lambda: not dispatcher.busy)
            time.sleep(0.01)  # back to rest: the end of one must not be what wakes the next
    assert statistics.median(delays) < 0.020


def test_what_was_handled_waits_for_its_delete(journal: Journal) -> None:
    """A message is handled and due for its delete; what has no inbox to leave is done."""
    handled: list[Notification] = []
    told: list[Notification] = [
        message(1),
        message(2, "EX0000002"),
        MessageEvent(account=ACCOUNT, id=str(uuid.UUID(int=9))),
    ]
    told.append(MessageReceived(account=ACCOUNT, id="", body="no id"))
    with dispatching(journal, handled.append):
        for notification in told:
            journal.record(Entry(notification, datetime.now(UTC)))
        until(lambda: in_state(journal, State.RECEIVED) == 0)
    assert sorted(each.key for each in handled) == sorted(each.key for each in told)
    states = {record.key: record.state for record in journal.records(Selection())}
    assert states == dict(
        zip([each.key for each in told], [State.HANDLED, State.DONE, State.DONE, State.DONE], strict=True)
    )


def test_a_kind_without_a_handler_is_done(journal: Journal) -> None:
    """It is journaled, and nobody is asked; a message still leaves the inbox."""
    handlers = Handlers()
    handlers.message_event(lambda _: None)
    with dispatching(journal, handlers):
        journal.record(entry(1))
        journal.record(Entry(SubscriptionEvent(account=ACCOUNT), datetime.now(UTC)))
        until(lambda: in_state(journal, State.RECEIVED) == 0)
    assert record_of(journal, 1).state is State.HANDLED
    assert in_state(journal, State.DONE) == 1


def test_what_was_there_before_the_start_is_handled(journal: Journal) -> None:
    """After a restart nothing needs a new push to be noticed; the longest waiting comes first."""
    for number in (3, 1, 2):
        journal.record(Entry(message(number), datetime(2026, 3, 2, 8, number, tzinfo=UTC)))
    order: list[Notification] = []
    with dispatching(journal, order.append, threads=1):
        until(lambda: len(order) == 3)
    assert order == [message(1), message(2), message(3)]


def test_what_another_process_recorded_is_found(journal: Journal, url: str) -> None:
    """Without any announcement it is found within the polling time."""
    handled: list[Notification] = []
    with dispatching(journal, handled.append), Journal(url) as other:
        other.record(entry(1))
        until(lambda: handled, 3)


def test_handlers_run_side_by_side(journal: Journal) -> None:
    """As many as there are threads, and no more."""
    meeting, most, running = threading.Barrier(4), [0], Counter[str]()
    lock = threading.Lock()

    def handle(_: Notification) -> None:
        with lock:
            running["now"] += 1
            most[0] = max(most[0], running["now"])
        meeting.wait(10)
        with lock:
            running["now"] -= 1

    with dispatching(journal, handle, threads=4):
        for number in range(12):
            journal.record(entry(number))
        until(lambda: in_state(journal, State.HANDLED) == 12)
    assert most == [4]


# -- handlers that fail ------------------------------------------------------------------------------------------------


def test_quick_handlers_are_fed_by_few_claims(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog of what is handled in no time is claimed in large pieces, each in one transaction."""
    claims: list[int] = []
    claim = journal.claim

    def counted(limit: int, lease: timedelta, *, in_order: bool = False) -> list[Claim]:
        claimed = claim(limit, lease, in_order=in_order)
        claims.append(len(claimed))
        return claimed

    monkeypatch.setattr(journal, "claim", counted)
    journal.record_all([entry(number) for number in range(1000)])
    with dispatching(journal, lambda _: None):
        until(lambda: in_state(journal, State.HANDLED) == 1000)
    assert sum(claims) == 1000
    assert len([size for size in claims if size]) <= 100


def test_a_handler_that_raises_is_called_again_until_it_is_dead(journal: Journal, log: list[Any]) -> None:
    """Each try is an attempt with its reason; after the last one the notification is put aside."""
    called: list[float] = []

    def handle(_: Notification) -> None:
        called.append(time.monotonic())
        raise ValueError("no room")

    with dispatching(journal, handle, max_attempts=3):
        journal.record(entry(1))
        until(lambda: in_state(journal, State.DEAD) == 1)
    record = record_of(journal, 1)
    assert (len(called), record.attempts, record.due_at) == (3, 3, None)
    assert [(one.outcome, one.error) for one in journal.history(record.seq)] == [("failed", "ValueError: no room")] * 3
    assert len(events(log, "notification_dead")) == 1
    assert "no room" not in str(log), "what a handler says may quote a message"


def test_a_retry_waits_for_its_back_off(journal: Journal) -> None:
    """Between two attempts lies the drawn delay, at most the exponential one."""
    tried: list[datetime] = []

    def handle(_: Notification) -> None:
        tried.append(datetime.now(UTC))
        if len(tried) < 4:
            raise ValueError

    with dispatching(journal, handle, backoff=0.1, backoff_cap=0.2):
        journal.record(entry(1))
        until(lambda: in_state(journal, State.HANDLED) == 1)
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(tried)]
    assert all(gap < longest + 0.5 for gap, longest in zip(gaps, [0.1, 0.2, 0.2], strict=True))
    assert outcomes(journal, 1) == ["failed", "failed", "failed", "ok"]


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        SilentError(),
        ValueError("\0\ud83d"),
        ValueError("x" * 9999),
    ],
)
def test_whatever_a_handler_raises_is_a_failed_attempt(journal: Journal, error: BaseException) -> None:
    """Neither sys.exit() nor an exception with an impossible text ends a thread of ours or sticks."""
    calls: list[Notification] = []

    def handle(notification: Notification) -> None:
        calls.append(notification)
        if len(calls) == 1:
            raise error

    with dispatching(journal, handle, threads=1):
        journal.record(entry(1))
        until(lambda: in_state(journal, State.HANDLED) == 1)
    assert outcomes(journal, 1) == ["failed", "ok"]


def test_sys_exit_in_a_handler_ends_nothing(journal: Journal) -> None:
    """The real thing, in every thread there is."""
    with dispatching(journal, lambda _: sys.exit(1), threads=2, max_attempts=2):
        for number in range(6):
            journal.record(entry(number))
        until(lambda: in_state(journal, State.DEAD) == 6)


def test_a_payload_that_cannot_be_read_goes_dead(journal: Journal, url: str) -> None:
    """A poisoned row fails as often as any other, then it is put aside, and nobody waits behind it."""
    journal.record(entry(1))
    execute(url, "UPDATE notification SET payload = '{'")
    handled: list[Notification] = []
    with dispatching(journal, handled.append, max_attempts=2):
        journal.record(entry(2))
        until(lambda: in_state(journal, State.DEAD) == 1 and in_state(journal, State.HANDLED) == 1)
    assert handled == [message(2)]
    assert [record.state for record in journal.records(Selection(key=message(1).key))] == [State.DEAD]


def execute(url: str, statement: str) -> None:
    other = create_engine(url)
    with other.begin() as connection:
        connection.execute(text(statement))
    other.dispose()


def test_what_kills_the_process_each_time_goes_dead(journal: Journal) -> None:
    """When so many attempts as are allowed never ended, it is not begun once more."""
    journal.record(entry(1))
    for _ in range(3):
        assert len(journal.claim(1, timedelta(microseconds=-1))) == 1  # as one who was killed at once
    handled: list[Notification] = []
    with dispatching(journal, handled.append, max_attempts=3):
        until(lambda: in_state(journal, State.DEAD) == 1)
    assert handled == []
    assert outcomes(journal, 1) == ["lost", "lost", "lost", "failed"]


# -- handlers that hang ------------------------------------------------------------------------------------------------


class Hanging:
    """A handler that hangs over some bodies until it is let go."""

    def __init__(self, *bodies: str) -> None:
        self.go_on = threading.Event()
        self._bodies = bodies
        self.called = Counter[str]()

    def __call__(self, notification: Notification) -> None:
        assert isinstance(notification, MessageReceived)
        self.called[notification.body] += 1
        if notification.body in self._bodies and self.called[notification.body] == 1:
            assert self.go_on.wait(30)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    handler = Hanging("1", "2")
    yield handler
    handler.go_on.set()


def test_a_hanging_handler_is_reported_and_holds_up_no_other(
    journal: Journal, hanging: Hanging, log: list[Any]
) -> None:
    """Although every thread hangs, others are handled; the hanging ones are failed attempts and come again."""
    with dispatching(journal, hanging, timeout=0.2) as dispatcher:
        for number in range(1, 8):
            journal.record(entry(number))
        until(lambda: in_state(journal, State.HANDLED) == 7)
        assert dispatcher.hanging == 2
        hanging.go_on.set()
        until(lambda: dispatcher.hanging == 0)
    assert len(events(log, "handler_hangs")) == len(events(log, "handler_returned_late")) == 2
    assert outcomes(journal, 1) == ["failed", "ok"]
    assert hanging.called["1"] == 2


def test_what_waited_too_long_for_a_thread_is_given_back_not_begun(journal: Journal) -> None:
    """The rest of its lease might not last: somebody else would handle it a second time meanwhile."""
    handled: list[Notification] = []
    journal.record(entry(1))
    (claim,) = journal.claim(1, timedelta(hours=1))
    with dispatching(journal, handled.append, timeout=2.0) as dispatcher:
        dispatcher._waiting += 1
        dispatcher._work.put(replace(claim, leased_at=claim.leased_at - timedelta(seconds=5)))
        until(lambda: in_state(journal, State.HANDLED) == 1)
    assert len(handled) == 1
    assert outcomes(journal, 1) == ["ok"]
    assert record_of(journal, 1).attempts == 1


def test_a_late_return_changes_nothing(journal: Journal, hanging: Hanging) -> None:
    """The attempt was given up, so its end is ignored: the notification is dead and stays so."""
    with dispatching(journal, hanging, timeout=0.1, max_attempts=1) as dispatcher:
        journal.record(entry(1))
        until(lambda: in_state(journal, State.DEAD) == 1)
        hanging.go_on.set()
        until(lambda: dispatcher.hanging == 0)
        assert not dispatcher.busy
    assert record_of(journal, 1).state is State.DEAD
    assert outcomes(journal, 1) == ["failed"]


def test_threads_that_come_back_do_not_add_up(journal: Journal, hanging: Hanging) -> None:
    """After everything hung and returned there are as many threads as before."""
    with dispatching(journal, hanging, timeout=0.1) as dispatcher:
        for number in range(1, 4):
            journal.record(entry(number))
        until(lambda: in_state(journal, State.HANDLED) == 3)
        hanging.go_on.set()
        until(lambda: dispatcher.hanging == 0)
        until(lambda: sum(thread.name == "handler" for thread in threading.enumerate()) == 2)
        assert dispatcher._threads == 2


# -- the journal out of reach ------------------------------------------------------------------------------------------


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
    monkeypatch.setattr(engine, "_PRAGMAS", (*engine._PRAGMAS, "busy_timeout = 30"))
    handled: list[Notification] = []
    may_end = threading.Event()

    def handle(notification: Notification) -> None:
        handled.append(notification)
        assert may_end.wait(10)

    with Journal(url) as journal, dispatching(journal, handle, timeout=0.4) as dispatcher:
        journal.record(entry(1))
        until(lambda: handled)
        lock = locked(url)
        may_end.set()
        until(lambda: events(log, "settling_failed"))
        until(lambda: record_of(journal, 1).due_at < datetime.now(UTC))  # type: ignore[operator] # it is leased
        unlock(lock)
        until(lambda: in_state(journal, State.HANDLED) == 1)
        until(lambda: not dispatcher.busy)
        assert len(handled) == 1
    assert events(log, "dispatch_waits_for_journal")


def test_a_row_claimed_before_its_result_arrived_takes_that_result(journal: Journal) -> None:
    """The result belongs to the row: under a newer lease it is settled at once, and the handler is left alone."""
    handled: list[Notification] = []
    handlers = Handlers()
    handlers.all_kinds(handled.append)
    dispatcher = Dispatcher(journal, handlers, settings(), {ACCOUNT}.__contains__)
    journal.record(entry(1))
    (early,) = journal.claim(1, timedelta(microseconds=-1))
    result = Settlement(early, Step.HANDLE, State.HANDLED, datetime.now(UTC), early.leased_at, early.leased_at)
    dispatcher._settling._open[early.seq] = result
    dispatcher.start()
    until(lambda: in_state(journal, State.HANDLED) == 1)
    until(lambda: not dispatcher.busy)
    assert dispatcher.stop(5)
    assert handled == []
    assert outcomes(journal, 1) == ["lost", "ok"]


def test_a_claim_that_took_too_long_is_given_back(journal: Journal, log: list[Any]) -> None:
    """With too little left of the lease a handler is not begun: another might begin it as well."""
    handled: list[Notification] = []
    journal.record(entry(1))
    slow = SlowOnce(journal)
    with dispatching(slow, handled.append, timeout=0.1):  # type: ignore[arg-type] # it stands for the journal
        until(lambda: in_state(journal, State.HANDLED) == 1)
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

    def claim(self, limit: int, lease: timedelta, *, in_order: bool) -> object:
        claims = self._journal.claim(limit, lease, in_order=in_order)
        if not self._late:
            self._late = True
            time.sleep(1.1)  # the fault to show is exactly this delay
        return claims


def test_dispatch_outlives_an_error_that_nobody_foresaw(journal: Journal, url: str, log: list[Any]) -> None:
    """A row that cannot even be claimed does not end the claiming thread."""
    journal.record(entry(1))
    execute(url, "UPDATE notification SET kind = 'Carrier pigeon'")
    handled: list[Notification] = []
    with dispatching(journal, handled.append):
        until(lambda: events(log, "dispatch_broke"))
        execute(url, "UPDATE notification SET kind = 'MessageReceived'")
        until(lambda: handled)


# -- the end -----------------------------------------------------------------------------------------------------------


def test_a_drain_waits_for_what_is_running(journal: Journal, hanging: Hanging) -> None:
    """Stopping claims no more, lets the running handlers finish, and settles them."""
    with dispatching(journal, hanging, threads=2) as dispatcher:
        for number in range(1, 6):
            journal.record(entry(number))
        until(lambda: len(hanging.called) == 2)
        threading.Timer(0.1, hanging.go_on.set).start()
        assert dispatcher.stop(10)
        assert dispatcher.busy == 0
    assert in_state(journal, State.HANDLED) == 2
    assert [record.leased for record in journal.records(Selection(state=State.RECEIVED))] == [False] * 3


def test_a_drain_has_an_end(journal: Journal, hanging: Hanging) -> None:
    """A handler that does not return in time is left, and its lease runs out."""
    with dispatching(journal, hanging) as dispatcher:
        journal.record(entry(1))
        until(lambda: hanging.called)
        assert not dispatcher.stop(0.1)
        assert record_of(journal, 1).leased
        hanging.go_on.set()


def test_no_thread_is_left(journal: Journal) -> None:
    """After the stop every thread ends."""
    before = threading.active_count()
    with dispatching(journal, lambda _: None, threads=4) as dispatcher:
        journal.record(entry(1))
        until(lambda: in_state(journal, State.HANDLED) == 1)
        assert dispatcher.stop(5)
    until(lambda: threading.active_count() == before)
