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
    delays = []
    for _ in range(2009):
        delays.append(throttle.failed("a"))
        clock.now += delays[-1] or 0.0
    assert delays[:9] == [None, None, None, 0.5, 1, 2, 4, 5, 5]
    assert delays[-1] == 5.0


def test_wrong_answers_leave_one_after_the_other(clock: Clock) -> None:
    """So a guesser gains nothing by asking over many connections, or many times on one, at the same moment."""
    throttle = Throttle(3, 5.0, clock)
    assert [throttle.failed("a") for _ in range(9)] == [None, None, None, 0.5, 1.5, 3.5, 7.5, 12.5, 17.5]
    for _ in range(2000):
        throttle.failed("a")
    assert throttle.failed("a") == 50.0, "and no queue is longer than this"


def test_keys_do_not_concern_each_other(clock: Clock) -> None:
    """Another address or account has its own budget."""
    throttle = Throttle(1, 5.0, clock)
    for _ in range(10):
        throttle.failed(("192.0.2.1", "EX1"))
    assert throttle.failed(("192.0.2.2", "EX1")) is None
    assert throttle.failed(("192.0.2.1", "EX2")) is None
    assert throttle.may_check(("192.0.2.3", "EX1"), b"pair")


def over_budget(clock: Clock) -> Throttle:
    throttle = Throttle(2, 5.0, clock)
    for _ in range(2):
        assert throttle.may_check("a", b"guess")
        throttle.failed("a")
    return throttle


def test_over_the_budget_a_pair_that_comes_again_is_checked_once_a_second(clock: Clock) -> None:
    """So EMS behind the address of a guesser gets in even when nothing is known to be right yet."""
    throttle = over_budget(clock)
    granted = 0
    for _ in range(100):
        granted += throttle.may_check("a", b"same")
        clock.now += 0.1
    assert 9 <= granted <= 11


def test_guesses_that_come_once_are_not_checked(clock: Clock) -> None:
    """A flood of 280 guesses a second does not keep a pair waiting that is presented again and again."""
    throttle = over_budget(clock)
    for number in range(280):
        assert not throttle.may_check("a", b"%d" % number)
    assert not throttle.may_check("a", b"of EMS")
    assert throttle.may_check("a", b"of EMS")


def test_the_pair_that_was_presented_most_often_has_the_first_call(clock: Clock) -> None:
    """A guesser who presents each guess twice does not get between; one who goes away is not waited for."""
    throttle = over_budget(clock)
    assert [throttle.may_check("a", b"first") for _ in range(2)] == [False, True]
    for _ in range(10):
        assert not throttle.may_check("a", b"of EMS")
    clock.now += 1
    assert [throttle.may_check("a", b"guess") for _ in range(3)] == [False] * 3
    assert throttle.may_check("a", b"of EMS")
    for _ in range(10):
        assert not throttle.may_check("a", b"gone away")
    clock.now += 2
    assert [throttle.may_check("a", b"another") for _ in range(2)] == [False, True]


def test_an_address_has_a_larger_budget_for_all_accounts_together(clock: Clock) -> None:
    """It may call for a thousand of them."""
    throttle = Throttle(2, 5.0, clock)
    assert [throttle.failed("a", 3) for _ in range(7)] == [None] * 6 + [0.5]
    assert not throttle.may_check("a", b"pair", 3)
    assert throttle.may_check("a", b"pair", 4)


def test_after_a_quarter_of_an_hour_all_is_forgiven(clock: Clock) -> None:
    """A budget begins anew when nothing wrong came for long."""
    throttle = Throttle(1, 5.0, clock)
    for _ in range(5):
        throttle.failed("a")
    clock.now += 901
    assert throttle.may_check("a", b"pair")
    assert throttle.failed("a") is None


def test_without_a_delay_answers_are_never_held_back(clock: Clock) -> None:
    """0 switches the holding off, not the budget."""
    throttle = Throttle(1, 0.0, clock)
    assert [throttle.failed("a") for _ in range(5)] == [None, 0, 0, 0, 0]
    assert [throttle.may_check("a", b"pair") for _ in range(4)] == [False, True, False, False]


def test_memory_is_bounded_and_keeps_the_latest(clock: Clock) -> None:
    """A hundred thousand addresses leave ten thousand entries; one that goes on is not forgotten."""
    throttle = Throttle(1, 5.0, clock)
    for number in range(50_000):
        throttle.failed(number)
        throttle.failed("constant")
    assert len(throttle) == 10_000
    assert throttle.failed("constant") == 50.0
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
