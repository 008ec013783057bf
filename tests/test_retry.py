"""The rules of back-off."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.retry import Backoff, RetryPolicy

seconds = st.floats(min_value=0.001, max_value=10**9)
counts = st.integers(min_value=1, max_value=10**12)
rngs = st.randoms(use_true_random=False)


@given(first=seconds, cap=seconds, failures=counts, rng=rngs)
def test_a_delay_is_never_negative_and_never_over_the_cap(
    first: float, cap: float, failures: int, rng: random.Random
) -> None:
    """However often something failed, the wait is between nothing and the cap."""
    delay = Backoff(first, cap).delay(failures, rng)
    assert timedelta(0) <= delay <= timedelta(seconds=cap)


@given(first=seconds, rng=rngs)
def test_the_first_delay_is_at_most_first(first: float, rng: random.Random) -> None:
    """After one failure the wait is at most ``first``."""
    assert Backoff(first, 10**9).delay(1, rng) <= timedelta(seconds=first)


@given(first=seconds, cap=seconds, failures=counts)
def test_the_longest_delay_never_shrinks(first: float, cap: float, failures: int) -> None:
    """One more failure never makes the longest wait shorter."""
    backoff = Backoff(first, cap)
    assert backoff.longest(failures) <= backoff.longest(failures + 1)


def test_the_longest_delay_doubles_up_to_the_cap() -> None:
    """The span doubles with each failure until it meets the cap."""
    backoff = Backoff(1, 300)
    assert [backoff.longest(failures) for failures in range(1, 12)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_the_whole_span_is_used() -> None:
    """Full jitter: short, middling and long delays all occur."""
    rng = random.Random(1)  # noqa: S311 - jitter is no secret
    delays = [Backoff(8, 8).delay(1, rng).total_seconds() for _ in range(1000)]
    assert min(delays) < 0.5
    assert max(delays) > 7.5
    assert 3.5 < sum(delays) / len(delays) < 4.5


def test_an_absurd_count_does_not_overflow() -> None:
    """A count that no float can be raised to still gives the cap."""
    assert Backoff(10**9, 300).longest(10**30) == 300


@given(first=st.floats(min_value=0, max_value=10**9, exclude_min=True), failures=counts)
def test_the_time_of_all_delays_does_not_overflow(first: float, failures: int) -> None:
    """However small the first one is and however many there were: their mean is within the cap."""
    assert 0 <= Backoff(first, 10**9).mean_of_all(failures) <= failures * 10**9


@pytest.mark.parametrize(("first", "cap"), [(0, 1), (1, 0), (-1, 1), (1, float("inf")), (float("nan"), 1)])
def test_senseless_values_are_refused(first: float, cap: float) -> None:
    """A back-off of nothing would retry at full speed; one without end is a typing error."""
    with pytest.raises(ValueError, match="first and cap"):
        Backoff(first, cap)


def test_a_policy_gives_up_after_the_last_attempt() -> None:
    """Until then each failed attempt is followed by one that is due within its back-off."""
    policy, now = RetryPolicy(Backoff(1, 300), max_attempts=3), datetime(2026, 3, 2, tzinfo=UTC)
    rng = random.Random(1)  # noqa: S311 - jitter is no secret
    due = [policy.next_at(attempts, now, rng) for attempts in (1, 2, 3, 4)]
    assert due[2:] == [None, None]
    for at, longest in zip(due[:2], (1, 2), strict=True):
        assert at is not None
        assert now <= at <= now + timedelta(seconds=longest)
    assert [policy.is_over(attempts) for attempts in (2, 3, 4)] == [False, True, True]
