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
    return CircuitBreaker("EX0012345", _SETTINGS, clock)


def test_a_new_breaker_is_closed(breaker: CircuitBreaker) -> None:
    """Nothing is known against the inbox yet."""
    assert (breaker.open_for(), breaker.login_refused) == (0, False)


def test_a_failure_opens_it_for_the_back_off(breaker: CircuitBreaker, clock: Clock) -> None:
    """The first failure opens it for two seconds at most, and then calls are made again."""
    seconds = breaker.failed()
    assert 0 <= seconds <= 2
    assert breaker.open_for() == pytest.approx(seconds)
    assert not breaker.login_refused
    clock.advance(2)
    assert breaker.open_for() == 0


def test_refusals_double_the_pause_up_to_an_hour(breaker: CircuitBreaker, clock: Clock) -> None:
    """A person may take a night to look; until then EMS hears from us once an hour."""
    pauses = []
    for _ in range(6):
        breaker.refused("HTTP 401")
        assert breaker.login_refused
        pauses.append(breaker.open_for())
        clock.advance(breaker.open_for())
    assert pauses == [600, 1200, 2400, 3600, 3600, 3600]


def test_a_step_of_the_wall_clock_moves_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour back would stop all deletes for an hour; an hour ahead would try a wrong password at once."""
    wall = WallClock(monkeypatch)
    breaker = CircuitBreaker("EX0012345", _SETTINGS)
    breaker.refused("HTTP 401")
    for step in (1, -2):
        wall.step(hours=step)
        assert 590 < breaker.open_for() <= 600
    breaker.succeeded()


def test_a_pause_that_is_set_longer_than_an_hour_is_kept(clock: Clock) -> None:
    """The hour is a limit to the doubling, not to what the settings say."""
    breaker = CircuitBreaker("EX0012345", _SETTINGS.model_copy(update={"refused_backoff": 7200}), clock)
    breaker.refused("HTTP 401")
    breaker.refused("HTTP 401")
    assert breaker.open_for() == 7200


def test_a_failure_does_not_end_a_pause(breaker: CircuitBreaker, clock: Clock) -> None:
    """An inbox that is down says nothing about our password: try as slowly as before."""
    breaker.refused("HTTP 401")
    clock.advance(600)
    breaker.failed()
    assert (breaker.open_for(), breaker.login_refused) == (600, True)


def test_a_success_ends_the_pause_and_forgets_it(breaker: CircuitBreaker) -> None:
    """The next refusal begins anew with the shortest pause."""
    for _ in range(3):
        breaker.refused("HTTP 401")
    breaker.succeeded()
    assert not breaker.login_refused
    breaker.refused("HTTP 401")
    assert breaker.open_for() == pytest.approx(600)


def test_a_refusal_is_loud_and_its_end_is_logged_once(breaker: CircuitBreaker) -> None:
    """Refusals are errors in the log, since a person must act; so the end of them is worth a line too."""
    with captured_events() as lines:
        breaker.succeeded()
        breaker.refused("SOAP fault, code 2, authentication failed")
        breaker.succeeded()
        breaker.succeeded()
    assert [(line["log_level"], line["event"], line["account"]) for line in lines] == [
        ("error", "inbox_refused", "EX0012345"),
        ("info", "inbox_accepted_again", "EX0012345"),
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(["succeeded", "failed", "refused"]), st.floats(min_value=0, max_value=4000)),
        max_size=50,
    )
)
def test_whatever_happens_calls_are_made_again_within_an_hour(steps: list[tuple[str, float]]) -> None:
    """It is paused exactly while a refusal has not been followed by a success, and never open for long."""
    clock = Clock()
    breaker = CircuitBreaker("EX0012345", _SETTINGS, clock)
    refused = False
    for step, seconds in steps:
        if step == "refused":
            breaker.refused("HTTP 401")
        else:
            getattr(breaker, step)()
        refused = step == "refused" or (refused and step != "succeeded")
        assert breaker.login_refused == refused
        assert 0 <= breaker.open_for() <= (3600 if refused or step == "succeeded" else 300)
        clock.advance(seconds)
