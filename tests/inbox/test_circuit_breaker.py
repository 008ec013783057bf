"""When an inbox may be called again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.inbox import Gate
from soap_handler.settings import DeleteSettings
from tests.support.events import captured_events

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
def gate(clock: Clock) -> Gate:
    return Gate("EX0012345", _SETTINGS, clock)


def test_a_new_gate_is_open(gate: Gate) -> None:
    """Nothing is known against the inbox yet."""
    assert (gate.wait(), gate.paused) == (0, False)


def test_a_failure_shuts_it_for_the_back_off(gate: Gate, clock: Clock) -> None:
    """The first failure shuts it for two seconds at most, and then it is open again."""
    opens_at = gate.failed()
    assert clock.now <= opens_at <= clock.now + timedelta(seconds=2)
    assert not gate.paused
    clock.advance(2)
    assert gate.wait() == 0


def test_refusals_double_the_pause_up_to_an_hour(gate: Gate, clock: Clock) -> None:
    """A person may take a night to look; until then EMS hears from us once an hour."""
    pauses = []
    for _ in range(6):
        gate.refused("HTTP 401")
        assert gate.paused
        pauses.append(gate.wait())
        clock.advance(gate.wait())
    assert pauses == [600, 1200, 2400, 3600, 3600, 3600]


def test_a_pause_that_is_set_longer_than_an_hour_is_kept(clock: Clock) -> None:
    """The hour is a limit to the doubling, not to what the settings say."""
    gate = Gate("EX0012345", _SETTINGS.model_copy(update={"refused_backoff": 7200}), clock)
    gate.refused("HTTP 401")
    gate.refused("HTTP 401")
    assert gate.wait() == 7200


def test_a_failure_does_not_end_a_pause(gate: Gate, clock: Clock) -> None:
    """An inbox that is down says nothing about our password: try as slowly as before."""
    gate.refused("HTTP 401")
    clock.advance(600)
    gate.failed()
    assert (gate.wait(), gate.paused) == (600, True)


def test_a_success_ends_the_pause_and_forgets_it(gate: Gate) -> None:
    """The next refusal begins anew with the shortest pause."""
    for _ in range(3):
        gate.refused("HTTP 401")
    gate.succeeded()
    assert not gate.paused
    gate.refused("HTTP 401")
    assert gate.wait() == pytest.approx(600)


def test_a_refusal_is_loud_and_its_end_is_logged_once(gate: Gate) -> None:
    """Refusals are errors in the log, since a person must act; so the end of them is worth a line too."""
    with captured_events() as lines:
        gate.succeeded()
        gate.refused("SOAP fault, code 2, authentication failed")
        gate.succeeded()
        gate.succeeded()
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
def test_whatever_happens_the_gate_opens_again_within_an_hour(steps: list[tuple[str, float]]) -> None:
    """It is paused exactly while a refusal has not been followed by a success, and never shut for long."""
    clock = Clock()
    gate = Gate("EX0012345", _SETTINGS, clock)
    refused = False
    for step, seconds in steps:
        if step == "refused":
            gate.refused("HTTP 401")
        else:
            getattr(gate, step)()
        refused = step == "refused" or (refused and step != "succeeded")
        assert gate.paused == refused
        assert 0 <= gate.wait() <= (3600 if refused or step == "succeeded" else 300)
        clock.advance(seconds)
