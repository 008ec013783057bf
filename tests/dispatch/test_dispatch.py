"""Dispatch: each rule with a real journal in a file, real threads, and handlers that do what they should not."""

from __future__ import annotations

import statistics
import threading
import time
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from soap_handler.dispatch.handlers import Handlers
from soap_handler.fast.load_shedding import LoadShedding
from soap_handler.fast.scoreboard import Scoreboard, WorkerSlot
from soap_handler.journal import Entry, Journal, Selection, State
from soap_handler.notifications import MessageEvent, MessageReceived, Notification, SubscriptionEvent
from tests.dispatch.dispatching import ACCOUNT, Hanging, dispatching, entry, in_state, message, record_of
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    import pytest

    from soap_handler.journal import Claim


def test_a_handler_starts_as_soon_as_the_push_is_committed(journal: Journal) -> None:
    """From the commit to the started handler: under 20 ms, for a quarter of fifty where others use the machine too."""
    started: dict[str, float] = {}

    def handle(notification: Notification) -> None:
        started[notification.key] = time.perf_counter()

    delays = []
    with dispatching(journal, handle) as dispatcher:
        for number in range(50):
            journal.record(entry(number))
            answered = time.perf_counter()
            wait_for(partial(started.get, message(number).key))
            delays.append(started[message(number).key] - answered)
            wait_for(lambda: not dispatcher.busy)
            time.sleep(0.01)  # back to rest: the end of one must not be what wakes the next
    assert statistics.quantiles(delays)[0] < 0.020  # a poll each second would bring one of fifty


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
        wait_for(lambda: in_state(journal, State.RECEIVED) == 0)
    assert sorted(each.key for each in handled) == sorted(each.key for each in told)
    states = {record.key: record.state for record in journal.records(Selection())}
    assert states == dict(
        zip([each.key for each in told], [State.HANDLED, State.DONE, State.DONE, State.DONE], strict=True)
    )


def test_a_kind_without_a_handler_is_ignored(journal: Journal) -> None:
    """It is done without an attempt, and the history says so; a message stays in the inbox, reconciled or not."""
    handlers = Handlers()
    handlers.message_event(lambda _: None)
    with dispatching(journal, handlers):
        journal.record(entry(1))
        journal.record(Entry(SubscriptionEvent(account=ACCOUNT), datetime.now(UTC)))
        wait_for(lambda: in_state(journal, State.RECEIVED) == 0)
    ignored = record_of(journal, 1)
    assert in_state(journal, State.DONE) == 2
    assert (ignored.handled_at, ignored.attempts) == (None, 0)
    assert [(one.outcome, one.error) for one in journal.history(ignored.seq)] == [("ignored", None)]
    assert journal.known([ignored.key])[ignored.key].is_ignored
    assert journal.delete_again([ignored.key], datetime.now(UTC) + timedelta(days=1)) == 0


def test_what_was_there_before_the_start_is_handled(journal: Journal) -> None:
    """After a restart nothing needs a new push to be noticed; the longest waiting comes first."""
    for number in (3, 1, 2):  # whatever the wall clock said
        journal.record(Entry(message(number), datetime(2026, 3, 2, 8, number, tzinfo=UTC)))
    order: list[Notification] = []
    with dispatching(journal, order.append, threads=1):
        wait_for(lambda: len(order) == 3)
    assert order == [message(3), message(1), message(2)]


def test_what_another_process_recorded_is_found(journal: Journal, url: str) -> None:
    """Without any announcement it is found within the polling time."""
    handled: list[Notification] = []
    with dispatching(journal, handled.append), Journal(url) as other:
        other.record(entry(1))
        wait_for(lambda: handled, 10)


def test_a_burst_at_another_process_is_not_slept_through(journal: Journal, url: str) -> None:
    """A process without calls to answer does the handling, and does not wait for its next poll of the journal."""
    board = Scoreboard(2)
    busy, free = WorkerSlot(board, 0), WorkerSlot(board, 1)
    for place in (busy, free):
        place.join()
    far: dict[str, Any] = {"timeout": 300, "poll_seconds": 60.0}
    with Journal(url) as other, dispatching(journal, lambda _: None, admission=LoadShedding(free), **far):
        journal.record(entry(100))
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
        other.record_all([entry(number) for number in range(100)])
        busy.note_arrivals(100)
        wait_for(lambda: in_state(journal, State.HANDLED) > 1)


def test_quick_handlers_are_fed_by_few_claims(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog of what is handled in no time is claimed in large pieces, each in one transaction."""
    claims: list[int] = []
    claim = journal.claim

    def counted(limit: int, lease: timedelta, **terms: Any) -> list[Claim]:
        claimed = claim(limit, lease, **terms)
        claims.append(len(claimed))
        return claimed

    monkeypatch.setattr(journal, "claim", counted)
    journal.record_all([entry(number) for number in range(1000)])
    with dispatching(journal, lambda _: None):
        wait_for(lambda: in_state(journal, State.HANDLED) == 1000)
    assert sum(claims) == 1000
    assert len([size for size in claims if size]) <= 100


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
        wait_for(lambda: in_state(journal, State.HANDLED) == 12)
    assert most == [4]


def test_a_drain_waits_for_what_is_running(journal: Journal, hanging: Hanging) -> None:
    """Stopping claims no more, lets the running handlers finish, and settles them."""
    with dispatching(journal, hanging, threads=2) as dispatcher:
        for number in range(1, 6):
            journal.record(entry(number))
        wait_for(lambda: len(hanging.called) == 2)
        threading.Timer(0.1, hanging.go_on.set).start()
        assert dispatcher.stop(10)
        assert dispatcher.busy == 0
    assert in_state(journal, State.HANDLED) == 2
    assert [record.leased for record in journal.records(Selection(state=State.RECEIVED))] == [False] * 3


def test_a_drain_has_an_end(journal: Journal, hanging: Hanging) -> None:
    """A handler that does not return in time is left, and its lease runs out."""
    with dispatching(journal, hanging) as dispatcher:
        journal.record(entry(1))
        wait_for(lambda: hanging.called)
        assert not dispatcher.stop(0.1)
        assert record_of(journal, 1).leased
        hanging.go_on.set()


def test_no_thread_is_left(journal: Journal) -> None:
    """After the stop every thread ends."""
    before = threading.active_count()
    with dispatching(journal, lambda _: None, threads=4) as dispatcher:
        journal.record(entry(1))
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
        assert dispatcher.stop(5)
    wait_for(lambda: threading.active_count() == before)
