"""Handlers that do not return in time: they hold up no other, and what they do later changes nothing."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from soap_handler.dispatch.destination import of_handlers
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.dispatch.handlers import Handlers
from soap_handler.dispatch.run import Run
from soap_handler.journal import Journal, Selection, State
from tests.dispatch.dispatching import (
    ACCOUNT,
    Hanging,
    dispatching,
    entry,
    events,
    in_state,
    outcomes,
    record_of,
    settings,
)
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    import pytest

    from soap_handler.notifications import Notification


def test_a_hanging_handler_is_reported_and_holds_up_no_other(
    journal: Journal, hanging: Hanging, log: list[Any]
) -> None:
    """Although every thread hangs, others are handled; the hanging ones are failed attempts and come again."""
    with dispatching(journal, hanging, timeout=0.2) as dispatcher:
        for number in range(1, 8):
            journal.record(entry(number))
        wait_for(lambda: in_state(journal, State.HANDLED) == 7)
        assert dispatcher.hanging == 2
        hanging.go_on.set()
        wait_for(lambda: dispatcher.hanging == 0)
    assert len(events(log, "handler_hangs")) == len(events(log, "handler_returned_late")) == 2
    assert outcomes(journal, 1) == ["failed", "ok"]
    assert hanging.called["1"] == 2


def test_what_waited_too_long_for_a_thread_is_given_back_not_begun(journal: Journal) -> None:
    """The rest of its lease might not last: another process would handle it a second time meanwhile."""
    handled: list[Notification] = []
    journal.record(entry(1))
    (claim,) = journal.claim(1, timedelta(hours=1))
    with dispatching(journal, handled.append, timeout=2.0) as dispatcher:
        dispatcher.pool.put([claim._replace(claimed_at=claim.claimed_at - 5)])
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
    assert len(handled) == 1
    assert outcomes(journal, 1) == ["ok"]
    assert record_of(journal, 1).attempts == 1


def test_a_late_return_changes_nothing(journal: Journal, hanging: Hanging) -> None:
    """The attempt was given up, so its end is ignored: the notification is dead and stays so."""
    with dispatching(journal, hanging, timeout=0.1, max_attempts=1) as dispatcher:
        journal.record(entry(1))
        wait_for(lambda: in_state(journal, State.DEAD) == 1)
        hanging.go_on.set()
        wait_for(lambda: dispatcher.hanging == 0)
        assert not dispatcher.busy
    assert record_of(journal, 1).state is State.DEAD
    assert outcomes(journal, 1) == ["failed"]


def test_when_all_threads_hang_it_is_said_and_every_attempt_counts(journal: Journal, log: list[Any]) -> None:
    """Nine times as many as there are threads hang: the owner is told, and nothing is lost or left leased."""
    go_on, told = threading.Event(), threading.Event()

    def hang(_: Notification) -> None:
        go_on.wait(30)

    handlers = Handlers()
    handlers.all_kinds(hang)
    chosen = settings(threads=1, timeout=0.05, max_attempts=1)
    dispatcher = Dispatcher(journal, of_handlers(handlers, chosen), {ACCOUNT}.__contains__, stands_still=told.set)
    journal.record_all([entry(number) for number in range(12)])
    dispatcher.start()
    try:
        assert told.wait(15)
        assert dispatcher.stop(5)
    finally:
        go_on.set()
    assert [event["hanging"] for event in events(log, "dispatch_stands_still")] == [9]
    assert (in_state(journal, State.DEAD), in_state(journal, State.RECEIVED)) == (9, 3)
    assert not any(record.leased for record in journal.records(Selection()))
    wait_for(lambda: dispatcher.hanging == 0)


def test_a_transaction_that_cannot_be_given_up_holds_up_no_other_attempt(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, log: list[Any]
) -> None:
    """What fails while one hanging handler is given up leaves the settling of the others, and the new threads."""
    begin = Run.begin

    def with_trouble(run: Run) -> None:
        run.give_up = lambda: 1 / 0  # type: ignore[assignment] # it is to fail
        begin(run)

    monkeypatch.setattr(Run, "begin", with_trouble)
    hanging = Hanging("1", "2")
    with dispatching(journal, hanging, timeout=0.1):
        journal.record_all([entry(number) for number in range(1, 4)])
        wait_for(lambda: in_state(journal, State.HANDLED) == 3)
        hanging.go_on.set()
    assert len(events(log, "transaction_not_ended")) == 2


def test_threads_that_come_back_do_not_add_up(journal: Journal, hanging: Hanging) -> None:
    """After everything hung and returned there are as many threads as before."""
    with dispatching(journal, hanging, timeout=0.1) as dispatcher:
        for number in range(1, 4):
            journal.record(entry(number))
        wait_for(lambda: in_state(journal, State.HANDLED) == 3)
        hanging.go_on.set()
        wait_for(lambda: dispatcher.hanging == 0)
        wait_for(lambda: sum(thread.name == "handler" for thread in threading.enumerate()) == 2)
        assert dispatcher.pool.threads == 2
