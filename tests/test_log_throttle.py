"""A flood of one event leaves a line a minute."""

from __future__ import annotations

from soap_handler.log_throttle import LogThrottle


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_key_is_logged_once_a_minute_with_how_often_it_occurred() -> None:
    """The line tells the size of the flood; other keys do not wait for it."""
    clock = Clock()
    throttle = LogThrottle(clock)
    assert [throttle.due("a") for _ in range(4)] == [1, 0, 0, 0]
    assert throttle.due("b") == 1
    clock.now += 60
    assert [throttle.due("a") for _ in range(2)] == [4, 0]


def test_memory_is_bounded() -> None:
    """A hundred thousand addresses leave ten thousand entries."""
    throttle = LogThrottle(Clock())
    for number in range(50_000):
        throttle.due(number)
    assert len(throttle) == 10_000
