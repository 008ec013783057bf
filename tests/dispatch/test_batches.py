"""Batches of a destination: what waits goes in one call; each notification keeps its own attempt and its own end."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from soap_handler.dispatch.destination import Batches, of_handlers
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.dispatch.handlers import Handlers
from soap_handler.errors import RetryLater, SinkRefusedError
from soap_handler.journal import Journal, Record, State
from tests.dispatch.dispatching import entry, events, in_state, outcomes, record_of, settings
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from soap_handler.journal import Claim


class Calls:
    """A destination that takes several: notes the size of each call, and holds the first one."""

    def __init__(self, *, held: bool = False) -> None:
        self.sizes: list[int] = []
        self.bodies: list[str] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        if not held:
            self.go_on.set()
        self.answer: Callable[[str], Exception | None] = lambda _: None

    def deliver(self, claims: Sequence[Claim]) -> list[Exception | None]:
        bodies = [getattr(claim.notification, "body", "") for claim in claims]
        self.sizes.append(len(claims))
        self.begun.set()
        assert self.go_on.wait(30)
        self.bodies += bodies
        return [self.answer(body) for body in bodies]


@contextmanager
def delivering(journal: Journal, calls: Calls, most: int, **values: Any) -> Iterator[Dispatcher]:
    destination = of_handlers(Handlers(), settings(**{"threads": 1, **values}))
    destination = replace(destination, batches=Batches(most, calls.deliver), refusals_allowed=1)
    dispatcher = Dispatcher(journal, destination, lambda _: False)
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        calls.go_on.set()
        dispatcher.stop(10)


def all_done(journal: Journal, count: int) -> bool:
    return in_state(journal, State.DONE) == count


def test_what_waits_goes_in_one_call(journal: Journal) -> None:
    """A lone one waits for no other; what comes while it is under way goes together, as many as are allowed."""
    calls = Calls(held=True)
    with delivering(journal, calls, 4) as dispatcher:
        journal.record_all([entry(0)])
        assert calls.begun.wait(10)
        journal.record_all([entry(number) for number in range(1, 4)])
        wait_for(lambda: dispatcher.busy == 4)
        calls.go_on.set()
        wait_for(lambda: all_done(journal, 4))
    assert calls.sizes == [1, 3]


def test_a_call_is_no_longer_than_asked(journal: Journal) -> None:
    """The rest goes in the next call."""
    journal.record_all([entry(number) for number in range(10)])
    calls = Calls()
    with delivering(journal, calls, 4):
        wait_for(lambda: all_done(journal, 10))
    assert max(calls.sizes) <= 4
    assert sum(calls.sizes) == 10


def test_each_of_a_call_has_an_end_of_its_own(journal: Journal) -> None:
    """One is refused and dead, one is tried again; the others are done after one attempt."""
    journal.record_all([entry(number) for number in range(5)])
    calls = Calls()
    errors: dict[str, list[Exception]] = {"2": [SinkRefusedError("no")], "3": [RetryLater("soon")]}
    calls.answer = lambda body: errors[body].pop() if errors.get(body) else None
    with delivering(journal, calls, 5):
        wait_for(lambda: all_done(journal, 4))
        assert in_state(journal, State.DEAD) == 1
    assert [outcomes(journal, number) for number in range(5)] == [["ok"], ["ok"], ["failed"], ["failed", "ok"], ["ok"]]


def test_a_defect_fails_each_of_the_call_and_ends_no_thread(journal: Journal) -> None:
    """Whatever the call raises, each notification gets an error with its frames, and comes again."""
    journal.record_all([entry(number) for number in range(3)])
    calls = Calls()

    def deliver(claims: Sequence[Claim]) -> list[Exception | None]:
        if not calls.sizes:
            calls.sizes.append(0)
            raise ValueError("a defect")
        return Calls.deliver(calls, claims)

    calls.deliver = deliver  # type: ignore[method-assign]
    with delivering(journal, calls, 3):
        wait_for(lambda: all_done(journal, 3))
    assert [outcomes(journal, number) for number in range(3)] == [["failed", "ok"]] * 3
    first = journal.history(record_of(journal, 0).seq)[0]
    assert first.error == "ValueError: a defect"
    assert first.trace is not None
    assert "test_batches.py" in first.trace


def test_a_call_that_answers_too_few_is_a_defect(journal: Journal) -> None:
    """What has no answer is not called delivered."""
    journal.record_all([entry(number) for number in range(3)])
    calls = Calls()
    calls.deliver = lambda claims: [None] * (len(claims) - 1)  # type: ignore[method-assign]
    with delivering(journal, calls, 3, max_attempts=1):
        wait_for(lambda: in_state(journal, State.DEAD) == 3)


def test_a_call_that_hangs_is_given_up_with_all_that_is_in_it(journal: Journal, log: list[dict[str, Any]]) -> None:
    """One thread hangs and one replaces it, whatever the number of notifications; what it did late counts for none."""
    journal.record_all([entry(number) for number in range(3)])
    calls = Calls(held=True)
    with delivering(journal, calls, 3, timeout=0.3) as dispatcher:
        wait_for(lambda: len(events(log, "handler_hangs")) == 3)
        wait_for(lambda: dispatcher.hanging >= 1 and len(calls.sizes) >= 2)
        assert (dispatcher.pool.threads, dispatcher.hanging) == (1, 1)
        calls.go_on.set()
        wait_for(lambda: all_done(journal, 3) and dispatcher.hanging == 0)
        assert dispatcher.pool.threads == 1
    assert [outcomes(journal, number) for number in range(3)] == [["failed", "ok"]] * 3


def test_a_drain_ends_with_a_call_under_way(journal: Journal) -> None:
    """The call ends, its results are on disk, and what waited is given back without an attempt."""
    calls = Calls(held=True)
    with delivering(journal, calls, 2) as dispatcher:
        journal.record_all([entry(number) for number in range(5)])
        assert calls.begun.wait(10)
        dispatcher.claim_no_more()
        threading.Timer(0.2, calls.go_on.set).start()
        assert dispatcher.stop(10)
        done = in_state(journal, State.DONE)
        assert done == sum(calls.sizes)
        waiting: list[Record] = [record_of(journal, number) for number in range(5)]
        assert (
            sum(each.state is State.RECEIVED and not each.leased and not each.attempts for each in waiting) == 5 - done
        )
