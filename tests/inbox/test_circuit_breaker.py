"""When an inbox may be called again."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.inbox import CircuitBreaker
from soap_handler.settings import DeleteSettings
from tests.support.events import captured_events
from tests.support.wall_clock import WallClock

_SETTINGS: Final = DeleteSettings(backoff=2, backoff_cap=300, refused_backoff=600, batch=100)


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(_SETTINGS, clock)


def test_a_new_breaker_is_closed(breaker: CircuitBreaker) -> None:
    """Nothing is known against the inbox yet."""
    assert breaker.open_for() == 0


def test_a_failure_opens_it_for_the_back_off(breaker: CircuitBreaker, clock: Clock) -> None:
    """The first failure opens it for two seconds at most, and then calls are made again."""
    seconds = breaker.failed()
    assert 0 <= seconds <= 2
    assert breaker.open_for() == pytest.approx(seconds)
    clock.advance(2)
    assert breaker.open_for() == 0


def test_a_step_of_the_wall_clock_moves_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour back would stop all deletes for an hour; an hour ahead would end the pause at once."""
    wall = WallClock(monkeypatch)
    breaker = CircuitBreaker(_SETTINGS)
    for _ in range(20):
        breaker.failed()
    before = breaker.open_for()
    for step in (1, -2):
        wall.step(hours=step)
        assert before - 5 < breaker.open_for() <= before
    breaker.succeeded()


def test_a_success_closes_it_and_is_a_new_beginning(breaker: CircuitBreaker) -> None:
    """The next failure begins anew with the shortest back-off."""
    for _ in range(8):
        breaker.failed()
    breaker.succeeded()
    assert breaker.open_for() == 0
    assert breaker.failed() <= 2


def test_the_end_of_an_outage_is_told_once(clock: Clock) -> None:
    """With how long it lasted and how many calls failed; where nothing had failed there is nothing to tell."""
    breaker = CircuitBreaker(_SETTINGS, clock, account="EX1")
    with captured_events() as logged:
        breaker.succeeded()
        breaker.failed()
        clock.advance(100)
        breaker.failed()
        clock.advance(20.04)
        breaker.succeeded()
        breaker.succeeded()
    assert [(event["event"], event["account"], event["seconds"], event["failures"]) for event in logged] == [
        ("inbox_recovered", "EX1", 120.0, 2)
    ]


@given(st.lists(st.tuples(st.booleans(), st.floats(min_value=0, max_value=400)), max_size=50))
def test_whatever_happens_calls_are_made_again_within_the_cap(steps: list[tuple[bool, float]]) -> None:
    """It is never open for longer than the longest back-off."""
    clock = Clock()
    breaker = CircuitBreaker(_SETTINGS, clock)
    for failed, seconds in steps:
        if failed:
            breaker.failed()
        else:
            breaker.succeeded()
        assert 0 <= breaker.open_for() <= (300 if failed else 0)
        clock.advance(seconds)
