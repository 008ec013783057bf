"""Callers who present wrong credentials are slowed; no others are."""

from __future__ import annotations

import pytest

from soap_handler.accounts.throttle import Throttle, client_network


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_wrong_ones_are_answered_at_once_up_to_the_budget_and_then_later_and_later(clock: Clock) -> None:
    """The delay doubles up to its limit and stays there."""
    throttle = Throttle(3, 5.0, clock)
    assert [throttle.failed("a") for _ in range(9)] == [None, None, None, 0.5, 1, 2, 4, 5, 5]
    for _ in range(2000):
        throttle.failed("a")
    assert throttle.failed("a") == 5.0


def test_keys_do_not_concern_each_other(clock: Clock) -> None:
    """Another address or account has its own budget."""
    throttle = Throttle(1, 5.0, clock)
    for _ in range(10):
        throttle.failed(("192.0.2.1", "EX1"))
    assert throttle.failed(("192.0.2.2", "EX1")) is None
    assert throttle.failed(("192.0.2.1", "EX2")) is None
    assert throttle.may_check(("192.0.2.3", "EX1"))


def test_over_the_budget_one_slow_check_a_second_is_left(clock: Clock) -> None:
    """So EMS behind the address of a guesser gets in even when nothing is known to be right yet."""
    throttle = Throttle(2, 5.0, clock)
    for _ in range(2):
        assert throttle.may_check("a")
        throttle.failed("a")
    granted = 0
    for _ in range(100):
        granted += throttle.may_check("a")
        throttle.failed("a")
        clock.now += 0.1
    assert 10 <= granted <= 11


def test_after_a_quarter_of_an_hour_all_is_forgiven(clock: Clock) -> None:
    """A budget begins anew when nothing wrong came for long."""
    throttle = Throttle(1, 5.0, clock)
    for _ in range(5):
        throttle.failed("a")
    clock.now += 901
    assert throttle.may_check("a")
    assert throttle.failed("a") is None


def test_without_a_delay_answers_are_never_held_back(clock: Clock) -> None:
    """0 switches the holding off, not the budget."""
    throttle = Throttle(1, 0.0, clock)
    assert [throttle.failed("a") for _ in range(5)] == [None, 0, 0, 0, 0]
    assert [throttle.may_check("a") for _ in range(2)] == [True, False]


def test_memory_is_bounded_and_keeps_the_latest(clock: Clock) -> None:
    """A hundred thousand addresses leave ten thousand entries; one that goes on is not forgotten."""
    throttle = Throttle(1, 5.0, clock)
    for number in range(50_000):
        throttle.failed(number)
        throttle.failed("constant")
    assert len(throttle) == 10_000
    assert throttle.failed("constant") == 5.0
    assert throttle.failed(0) is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_all_addresses_of_one_ipv6_host_are_one(address: str, expected: str) -> None:
    """A host with an IPv6 address usually has 2**64 of them."""
    assert client_network(address) == expected
