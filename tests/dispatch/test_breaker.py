"""The circuit breaker of a destination."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from soap_handler.dispatch.breaker import FAILURES_TO_OPEN, Breaker
from tests.support.events import captured_events


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    breaker = Breaker("crm", clock)
    counted = [breaker.failed("HTTP 500") for _ in range(FAILURES_TO_OPEN)]
    assert counted == [False] * (FAILURES_TO_OPEN - 1) + [True]
    return breaker


def test_some_failures_in_a_row_open_it() -> None:
    """The first ones are attempts; from the one that opens it, none is."""
    breaker = opened(Clock())
    assert not breaker.is_closed
    assert breaker.allows(10, 0) == 0
    assert breaker.failed("HTTP 500")


def test_its_pause_and_its_end_are_told_once() -> None:
    """The log has the reason at the beginning, and at the end how long deliveries have waited."""
    clock = Clock()
    with captured_events() as logged:
        breaker = opened(clock)
        clock.now += 60.04
        breaker.succeeded()
        breaker.succeeded()
    paused, resumed = logged
    assert (paused["event"], paused["sink"], paused["reason"]) == ("sink_paused", "crm", "HTTP 500")
    assert (resumed["event"], resumed["sink"], resumed["seconds"]) == ("sink_resumed", "crm", 60.0)


def test_a_success_between_keeps_it_closed() -> None:
    """One notification that always fails does not stop the others."""
    breaker = Breaker("crm", Clock())
    for _ in range(20):
        assert not breaker.failed("HTTP 500")
        breaker.succeeded()
    assert breaker.allows(10, 3) == 10


def test_one_delivery_finds_out_whether_it_works_again() -> None:
    """Half-open: one at a time; a failure opens it for twice as long, a success closes it."""
    clock = Clock()
    breaker = opened(clock)
    first = breaker.open_for()
    clock.now += first
    assert (breaker.allows(10, 0), breaker.allows(10, 1)) == (1, 0)
    assert breaker.failed("HTTP 500")
    assert breaker.open_for() == 2 * first
    clock.now += 2 * first
    breaker.succeeded()
    assert breaker.allows(10, 0) == 10


def test_what_was_under_way_makes_the_next_pause_no_longer() -> None:
    """With many deliveries at once, one outage fails many of them; that is no reason to wait for minutes."""
    clock = Clock()
    breaker = opened(clock)
    first = breaker.open_for()
    for _ in range(50):
        assert breaker.failed("HTTP 500")
    clock.now += first
    assert breaker.failed("HTTP 500")
    assert breaker.open_for() == 2 * first


def test_the_destination_may_ask_for_a_pause() -> None:
    """``Retry-After`` opens it at once, for as long as was asked; 410 for an hour."""
    breaker = Breaker("crm", Clock())
    assert breaker.failed("HTTP 503", after=120)
    assert breaker.open_for() == 120
    gone = Breaker("crm", Clock())
    assert gone.failed("HTTP 410", for_good=True)
    assert gone.open_for() == 3600


@given(st.lists(st.sampled_from(["fail", "work", "wait"]), max_size=60))
def test_it_always_opens_again_in_time(steps: list[str]) -> None:
    """Whatever happens, no pause is longer than a quarter of an hour, and after it one delivery may go out."""
    clock = Clock()
    breaker = Breaker("crm", clock)
    for step in steps:
        if step == "fail":
            breaker.failed("HTTP 500")
        elif step == "work":
            breaker.succeeded()
        else:
            clock.now += 60
        assert breaker.open_for() <= 900
    clock.now += breaker.open_for()
    assert breaker.allows(1, 0) == 1
