"""The base of what runs beside the server."""

from __future__ import annotations

import threading
import time

from soap_handler.background import BackgroundLoop
from tests.support.waiting import wait_for


class Counting(BackgroundLoop):
    """Counts its rounds, the first of which may fail."""

    def __init__(self, rest: float, *, failing: int = 0, delay: float = 0.0) -> None:
        super().__init__("counting", delay=delay)
        self.rounds = 0
        self.told: list[int] = []
        self._rest = rest
        self._failing = failing

    def round(self) -> float:
        self.rounds += 1
        if self.rounds <= self._failing:
            raise RuntimeError("a bug")
        return self._rest

    def failed(self, error: Exception) -> float:
        assert isinstance(error, RuntimeError)
        self.told.append(self.failures)
        return 0.01


def test_a_rest_ends_when_it_is_woken() -> None:
    """Each call of wake is worth one round at least, and a rest that is not woken lasts."""
    loop = Counting(1000.0)
    loop.start()
    for count in range(1, 4):
        wait_for(lambda count=count: loop.rounds == count)  # type: ignore[misc] # mypy does not see the default
        loop.wake()
    assert loop.stop(5)


def test_what_wakes_during_a_round_is_not_lost() -> None:
    """The rest behind that round does not begin."""
    in_round, go_on = threading.Event(), threading.Event()

    class Slow(Counting):
        def round(self) -> float:
            in_round.set()
            assert go_on.wait(10)
            return super().round()

    loop = Slow(1000.0)
    loop.start()
    assert in_round.wait(10)
    loop.wake()
    go_on.set()
    wait_for(lambda: loop.rounds == 2)
    assert loop.stop(5)


def test_a_failed_round_ends_nothing() -> None:
    """Each failure is told with how many there were in a row; a good round ends the row."""
    loop = Counting(1000.0, failing=3)
    loop.start()
    wait_for(lambda: loop.rounds == 4)
    wait_for(lambda: loop.failures == 0)
    assert loop.told == [1, 2, 3]
    assert loop.stop(5)


def test_a_stop_waits_for_no_rest_and_no_delay() -> None:
    """It takes no longer than the round under way."""
    began = time.monotonic()
    for loop in (Counting(1000.0), Counting(0.0, delay=1000.0)):
        loop.start()
        assert loop.stop(5)
        assert not loop.is_running
    assert time.monotonic() - began < 5


def test_what_was_never_started_has_ended() -> None:
    """A program that fails while it starts stops everything all the same."""
    assert Counting(0.0).stop(1)
