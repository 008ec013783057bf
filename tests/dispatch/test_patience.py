"""Patience by default: how long a customer's system may be away before anything is dead."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from soap_handler.dispatch.destination import of_handlers
from soap_handler.dispatch.handlers import Handlers
from soap_handler.settings import HandlerSettings
from soap_handler.settings.sinks import StdoutSettings
from soap_handler.sinks.routes import of_sink
from soap_handler.sinks.stdout import Stdout

if TYPE_CHECKING:
    from soap_handler.dispatch.destination import Destination

NOW = datetime(2026, 3, 2, tzinfo=UTC)
STDOUT = StdoutSettings(type="stdout")
BY_DEFAULT = {
    "handlers": of_handlers(Handlers(), HandlerSettings()),
    "sink": of_sink("out", STDOUT, Stdout(STDOUT)),
}


@pytest.mark.parametrize("destination", BY_DEFAULT.values(), ids=BY_DEFAULT)
def test_the_patience_is_three_days_without_a_limit_of_attempts(destination: Destination) -> None:
    """As the settings say where nothing is set."""
    assert (destination.retry.give_up_after, destination.retry.max_attempts) == (3 * 86400, None)
    assert [HandlerSettings(give_up_after="3d").give_up_after] == [destination.retry.give_up_after]  # type: ignore[arg-type] # as a file gives it


@pytest.mark.parametrize("destination", BY_DEFAULT.values(), ids=BY_DEFAULT)
def test_the_back_off_doubles_from_a_second_to_a_quarter_of_an_hour(destination: Destination) -> None:
    """Those are the longest delays; full jitter draws each evenly from nothing up to that."""
    longest = [destination.retry.backoff.longest(failures) for failures in range(1, 13)]
    assert longest == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    rng = random.Random(1)  # noqa: S311 - jitter is no secret
    drawn = sorted(destination.retry.backoff.delay(5, rng).total_seconds() for _ in range(1000))
    assert drawn[0] < 0.2
    assert 15.8 < drawn[-1] <= 16
    assert 7 < drawn[500] < 9


@pytest.mark.parametrize("destination", BY_DEFAULT.values(), ids=BY_DEFAULT)
def test_an_outage_of_an_hour_makes_nothing_dead(destination: Destination) -> None:
    """Of a thousand notifications that fail at each attempt, all are still tried after an hour, and after a day."""
    for seed in range(1000):
        rng = random.Random(seed)  # noqa: S311 - jitter is no secret
        now, attempts = NOW, 0
        while now < NOW + timedelta(days=1):
            attempts += 1
            due_at = destination.retry.next_at(attempts, now, rng)
            assert due_at is not None, f"dead after {now - NOW}"
            now = due_at


@pytest.mark.parametrize("destination", BY_DEFAULT.values(), ids=BY_DEFAULT)
def test_patience_has_an_end(destination: Destination) -> None:
    """After about three days of trying, whatever delays were drawn."""
    rng = random.Random(2)  # noqa: S311 - jitter is no secret
    now, attempts = NOW, 0
    while now < NOW + timedelta(days=10):
        attempts += 1
        due_at = destination.retry.next_at(attempts, now, rng)
        if due_at is None:
            break
        now = due_at
    assert timedelta(days=2.7) < now - NOW < timedelta(days=3.3)
