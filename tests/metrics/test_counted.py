"""The parts of the service count what they do: circuit breakers, deletes, runs of handlers, and rare events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler import telemetry
from soap_handler.dispatch.breaker import FAILURES_TO_OPEN, Breaker
from soap_handler.ems import InboxService
from soap_handler.errors import GiveUp
from soap_handler.inbox import CircuitBreaker
from soap_handler.inbox.connections import Connections
from soap_handler.inbox.reconcile_schedule import ReconcileSchedule
from soap_handler.journal import Journal
from soap_handler.metrics.events import count_in
from soap_handler.metrics.shared_memory import MetricsSlot, SharedMemory
from soap_handler.notifications import MessageReceived, Notification
from soap_handler.settings import DeleteSettings, ReconcileSettings
from tests.dispatch.dispatching import Hanging, dispatching, entry, outcomes
from tests.inbox.reconcile.reconciling import EMS, REFERENCE, account
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def memory() -> Iterator[SharedMemory]:
    """Count in a memory of this test alone."""
    made = SharedMemory()
    end = count_in(MetricsSlot(made))
    yield made
    end()


def value(memory: SharedMemory, name: str, *labels: str) -> float:
    return memory.totals().get((f"soap_handler_{name}", *labels), [0.0])[0]


def test_an_open_breaker_of_a_sink_is_a_gauge(memory: SharedMemory) -> None:
    """1 while it is open; it is there at 0 before, so that an alert knows it."""
    breaker = Breaker("crm")
    assert ("soap_handler_circuit_open", "sink", "crm") in memory.totals()
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed("down")
    assert value(memory, "circuit_open", "sink", "crm") == 1
    breaker.succeeded()
    assert value(memory, "circuit_open", "sink", "crm") == 0


def test_an_open_breaker_of_an_inbox_is_a_gauge(memory: SharedMemory) -> None:
    """A breaker that replaces an open one at a reload begins closed."""
    breaker = CircuitBreaker(DeleteSettings(), account="EX1")
    breaker.failed()
    assert value(memory, "circuit_open", "inbox", "EX1") == 1
    breaker.succeeded()
    assert value(memory, "circuit_open", "inbox", "EX1") == 0
    breaker.failed()
    CircuitBreaker(DeleteSettings(), account="EX1")
    assert value(memory, "circuit_open", "inbox", "EX1") == 0


def test_a_reconciliation_that_goes_well_does_not_close_the_breaker_of_the_deletes(
    memory: SharedMemory, tmp_path: Path
) -> None:
    """The gauge is of the deletes: while they are stopped, a list that was read says nothing of them."""
    breaker = CircuitBreaker(DeleteSettings(), account=REFERENCE)
    breaker.failed()
    with InboxService([EMS]) as ems, Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        settings = ReconcileSettings(interval=1000.0, timeout=5.0)
        running = ReconcileSchedule([account(ems.url)], journal, settings, DeleteSettings(), Connections())
        running.start()
        try:
            wait_for(lambda: any(run.ended_at is not None for run in journal.reconciliations()))
        finally:
            assert running.stop(lambda: 10.0)
    assert value(memory, "circuit_open", "inbox", REFERENCE) == 1


def test_rare_events_are_counted(memory: SharedMemory) -> None:
    """From the event alone; nothing is counted after the end."""
    tally = {"known": 1, "inbox": 3, "deleted_again": 0, "left_alone": 0, "unreadable": 0}
    telemetry.emit("reconciled", account="EX1", recovered=2, **tally)
    telemetry.emit("reconciled", account="EX1", recovered=0, **tally)
    telemetry.emit("notification_dead", key="k", attempts=1)
    telemetry.emit("worker_lost", worker=1, process=1, code=1, seconds=0.0)
    assert value(memory, "reconciliations", "EX1", "done") == 2
    assert value(memory, "recovered", "EX1") == 2
    assert value(memory, "dead") == 1
    assert value(memory, "worker_restarts") == 1


def test_each_run_of_a_handler_is_counted_by_its_end(memory: SharedMemory, tmp_path: Path) -> None:
    """Handled, failed, or given up; a notification that is dead has a counter of its own."""
    failed: list[str] = []

    def handle(notification: Notification) -> None:
        assert isinstance(notification, MessageReceived)
        if notification.body == "2":
            raise GiveUp("no")
        if notification.body == "1" and not failed:
            failed.append(notification.body)
            raise ValueError

    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        journal.record_all([entry(number) for number in range(3)])
        with dispatching(journal, handle):
            wait_for(lambda: attempts(memory, "handled", "given_up") == 3)
    assert attempts(memory, "handled") == 2
    assert attempts(memory, "failed") == 1
    assert value(memory, "dead") == 1
    assert sum(memory.totals()["soap_handler_attempt_seconds", "python"][:-1]) == 4


def test_a_run_that_overran_is_counted_once(memory: SharedMemory, tmp_path: Path) -> None:
    """When its time is over, and not again when it returns: as often as the history has a failed attempt."""
    hanging = Hanging("1")
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        journal.record(entry(1))
        with dispatching(journal, hanging, timeout=0.3):
            wait_for(lambda: attempts(memory, "timed_out") >= 1)
            hanging.go_on.set()
            wait_for(lambda: attempts(memory, "handled") == 1)
        wait_for(lambda: outcomes(journal, 1).count("failed") == attempts(memory, "timed_out"))


def attempts(memory: SharedMemory, *ends: str) -> float:
    """Return how many runs of the handlers ended so."""
    return sum(value(memory, "attempts", "python", end) for end in ends)
