"""The wall clock is moved while handlers run: none is run beside itself, and none waits for it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from soap_handler.clock import uptime
from soap_handler.journal import Journal, State
from soap_handler.journal.execute import QUEUE_CLOCK
from soap_handler.journal.queue_clock import set_to
from tests.dispatch.dispatching import dispatching, entry, in_state, outcomes
from tests.support.waiting import wait_for
from tests.support.wall_clock import WallClock

if TYPE_CHECKING:
    from soap_handler.notifications import Notification


class Running:
    """A handler that goes on over the first message until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.called: list[str] = []

    def __call__(self, notification: Notification) -> None:
        self.called.append(getattr(notification, "body", ""))
        if getattr(notification, "body", "") == "1":
            self.begun.set()
            assert self.go_on.wait(30)


@pytest.mark.parametrize("hours", [1, -1, 48, -48])
def test_a_handler_is_not_run_beside_itself_and_the_others_go_on(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """What was stored before the step and after it is handled while the first one is still running."""
    wall, handler = WallClock(monkeypatch), Running()
    journal.record(entry(1))
    with dispatching(journal, handler, timeout=30) as dispatcher:
        assert handler.begun.wait(15)
        wall.step(hours=hours)
        for number in (2, 3, 4):
            journal.record(entry(number))
        wait_for(lambda: in_state(journal, State.HANDLED) == 3)
        wait_for(lambda: dispatcher.busy == 1)  # a result is counted until a moment after its commit
        handler.go_on.set()
        wait_for(lambda: in_state(journal, State.HANDLED) == 4)
    assert sorted(handler.called) == ["1", "2", "3", "4"]
    assert outcomes(journal, 1) == ["ok"]


def test_a_lease_that_seems_to_have_run_out_is_not_claimed_by_who_works_on_it(journal: Journal) -> None:
    """As where the clock of the database was moved: the handler's own process knows better."""
    handler = Running()
    journal.record(entry(1))
    with dispatching(journal, handler, timeout=30) as dispatcher:
        assert handler.begun.wait(15)
        queue_clock = journal.read(lambda connection: connection.get_execution_options()[QUEUE_CLOCK])
        set_to(queue_clock, queue_clock.now() + timedelta(hours=1), uptime())
        journal.record(entry(2))
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
        wait_for(lambda: dispatcher.busy == 1)
        assert sorted(handler.called) == ["1", "2"]
        handler.go_on.set()
        wait_for(lambda: in_state(journal, State.HANDLED) == 2)
    assert outcomes(journal, 1) == ["ok"]


@pytest.mark.parametrize("hours", [1, -1, 48])
def test_a_retry_comes_after_its_pause(journal: Journal, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """A failed attempt is due again after its back-off, wherever the clock was moved meanwhile."""
    wall = WallClock(monkeypatch)
    called: list[str] = []

    def fails_at_first(notification: Notification) -> None:
        called.append(getattr(notification, "body", ""))
        wall.step(hours=hours)
        if len(called) == 1:
            raise ValueError("not yet")

    with dispatching(journal, fails_at_first):
        journal.record(entry(1))
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
    assert outcomes(journal, 1) == ["failed", "ok"]
