"""When an inbox may be called again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.inbox import CircuitBreaker
from soap_handler.settings import DeleteSettings

_SETTINGS: Final = DeleteSettings(backoff=2, backoff_cap=300, refused_backoff=600, batch=100)


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


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
    open_until = breaker.failed()
    assert clock.now <= open_until <= clock.now + timedelta(seconds=2)
    clock.advance(2)
    assert breaker.open_for() == 0


def test_a_success_closes_it_and_is_a_new_beginning(breaker: CircuitBreaker, clock: Clock) -> None:
    """The next failure begins anew with the shortest back-off."""
    for _ in range(8):
        breaker.failed()
    breaker.succeeded()
    assert breaker.open_for() == 0
    assert breaker.failed() <= clock.now + timedelta(seconds=2)


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
