"""Admission control: the claim loop takes no more than it is granted, and no sooner."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from soap_handler.dispatch import dispatcher
from soap_handler.dispatch.admission import Admission
from soap_handler.dispatch.breaker import Breaker
from soap_handler.dispatch.destination import of_handlers
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.dispatch.handlers import Handlers
from soap_handler.journal import Journal, Selection, State
from soap_handler.settings import HandlerSettings
from tests.dispatch.dispatching import dispatching, entry, in_state
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    import pytest

    from soap_handler.journal import Claim, Record, Settlement


class OneByOne(Admission):
    """Grants one claim at a time, with a pause behind each."""

    @property
    def pause(self) -> float:
        return 0.05

    def allows(self, wanted: int, cost: float = 1.0) -> int:  # noqa: ARG002
        return min(wanted, 1)

    def in_burst(self) -> bool:
        return True


def test_no_more_is_claimed_than_is_granted_and_no_sooner(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty notifications are twenty claims, and nineteen pauses lie between them."""
    claims: list[int] = []
    claim = journal.claim

    def counted(limit: int, lease: timedelta, **terms: Any) -> list[Claim]:
        claimed = claim(limit, lease, **terms)
        claims.append(len(claimed))
        return claimed

    monkeypatch.setattr(journal, "claim", counted)
    journal.record_all([entry(number) for number in range(20)])
    began = time.monotonic()
    with dispatching(journal, lambda _: None, admission=OneByOne()):
        wait_for(lambda: in_state(journal, State.HANDLED) == 20)
    assert time.monotonic() - began >= 19 * OneByOne().pause
    assert max(claims) == 1


def test_what_was_allowed_and_not_claimed_is_given_back(journal: Journal) -> None:
    """An idle destination uses up nothing of what a burst leaves to handling."""
    allowed: list[int] = []

    class Counting(Admission):
        def allows(self, wanted: int, cost: float = 1.0) -> int:  # noqa: ARG002
            allowed.append(wanted)
            return wanted

        def give_back(self, count: int) -> None:
            allowed.append(-count)

    with dispatching(journal, lambda _: None, admission=Counting()):
        wait_for(lambda: len(allowed) > 1)
        journal.record_all([entry(number) for number in range(20)])
        wait_for(lambda: in_state(journal, State.HANDLED) == 20)
    assert sum(allowed) == 20


def test_a_paused_destination_asks_for_nothing(journal: Journal) -> None:
    """While its breaker is open it takes nothing from the others."""
    asked: list[int] = []

    class Listening(Admission):
        def allows(self, wanted: int, cost: float = 1.0) -> int:  # noqa: ARG002
            asked.append(wanted)
            return wanted

    with paused(journal, Listening()):
        wait_for(lambda: len(asked) > 1)
    assert set(asked) == {0}


def test_what_waits_for_a_paused_destination_is_put_off_behind_a_burst(journal: Journal) -> None:
    """Two writes for each arrival would slow down receiving just then."""

    class Burst(Admission):
        rounds = 0
        is_on = True

        def allows(self, wanted: int, cost: float = 1.0) -> int:  # noqa: ARG002
            self.rounds += 1
            return wanted

        def in_burst(self) -> bool:
            return self.is_on

        @property
        def pause(self) -> float:
            return 0.01

    burst = Burst()
    journal.record_all([entry(number) for number in range(3)])
    with paused(journal, burst):
        wait_for(lambda: burst.rounds > 5)
        assert not any(is_put_off(record, journal) for record in journal.records(Selection()))
        burst.is_on = False
        wait_for(lambda: all(is_put_off(record, journal) for record in journal.records(Selection())))


@contextmanager
def paused(journal: Journal, admission: Admission) -> Iterator[None]:
    """Run a dispatcher whose destination wants nothing for an hour."""
    breaker = Breaker("crm")
    breaker.failed("gone", for_good=True)
    destination = replace(of_handlers(Handlers(), HandlerSettings()), breaker=breaker)
    built = Dispatcher(journal, destination, lambda _: False, admission=admission)
    built.start()
    try:
        yield
    finally:
        assert built.stop(20)


def is_put_off(record: Record, journal: Journal) -> bool:
    return record.due_at is not None and not record.leased and record.due_at > journal.now() + timedelta(minutes=1)


def test_results_of_a_burst_go_with_the_next_claim_or_with_the_drain(journal: Journal) -> None:
    """One by one they would hold up pushes, each with a transaction of its own; a drain waits for no claim."""

    class LongPause(Admission):
        pause = 600.0

        def in_burst(self) -> bool:
            return True

    journal.record_all([entry(number) for number in range(2)])
    with dispatching(journal, lambda _: None, admission=LongPause()) as at_work:
        wait_for(lambda: len(at_work.results) == 2 and not at_work.pool.busy)
        at_work.results.retry()
        assert in_state(journal, State.HANDLED) == 0
        assert at_work.stop(30)
        assert in_state(journal, State.HANDLED) == 2


def test_results_of_a_pause_go_with_the_next_claim(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """While much arrives, a transaction of their own would hold up pushes; without a pause none waits."""
    handed_in: list[int] = []
    submit = journal.submit_settlements

    def noted(settlements: Sequence[Settlement]) -> Future[list[bool]]:
        handed_in.append(len(settlements))
        return submit(settlements)

    class Busy(Admission):
        pause = 2.0

    monkeypatch.setattr(journal, "submit_settlements", noted)
    monkeypatch.setattr(dispatcher, "GATHER_SECONDS", 10.0)
    journal.record_all([entry(number) for number in range(2)])
    with dispatching(journal, lambda _: None, admission=Busy()):
        wait_for(lambda: in_state(journal, State.HANDLED) == 2)
    assert handed_in == [2]


def test_it_is_told_what_a_handler_costs(journal: Journal) -> None:
    """By CPU time, as a multiple of a handler that does nothing: waiting costs nothing."""
    told: list[float] = []

    class Listening(Admission):
        def allows(self, wanted: int, cost: float = 1.0) -> int:
            told.append(cost)
            return wanted

    def compute(_: object) -> None:
        begun = time.thread_time()
        while time.thread_time() - begun < 0.02:
            pass

    journal.record_all([entry(number) for number in range(20)])
    with dispatching(journal, compute, admission=Listening()):
        wait_for(lambda: in_state(journal, State.HANDLED) == 20)
        wait_for(lambda: told[-1] > 10)
    assert told[0] == 1


def test_the_plain_way_is_granted_everything_at_once() -> None:
    """No limit, no pause, no gap."""
    unlimited = Admission()
    assert unlimited.allows(10_000) == 10_000
    assert (unlimited.pause, unlimited.delete_gap, unlimited.in_burst()) == (0, 0, False)
