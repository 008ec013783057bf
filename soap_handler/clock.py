"""The clocks of the service: the wall clock for what people read, and the queue's clock for what is due."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

JUMP: Final = timedelta(seconds=2)
"""A clock that is followed and differs by more than this was moved: no delay of the network comes to so much."""
_FALL_SECONDS: Final = 5.0  # after a fall: what was written just before it was noticed comes in that time


def now() -> datetime:
    """Return the present instant by the wall clock, aware and in UTC. It may step: for durations use ``monotonic``."""
    return datetime.now(UTC)


def uptime() -> float:
    """Return the seconds since this machine started: one clock for all of its processes, and no step moves it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class QueueClock:
    """The clock of due times and leases: it is set to an instant, and runs with the uptime from then on.

    All who share a journal set theirs to the same: to its database's clock, or to that of the machine that they share
    (``journal/queue_clock.py``). Until it is set it tells the wall clock. Thread-safe.
    """

    def __init__(self, source: Callable[[], datetime] | None = None) -> None:
        """``source`` takes the place of all clocks, for a test."""
        self._source = source
        self._zero: datetime | None = None
        self._set_at = self._jumped_at = self._fell_at = float("-inf")

    def now(self) -> datetime:
        """Return the present instant of the queue, aware and in UTC."""
        if self._source is not None:
            return self._source()
        return now() if self._zero is None else self._zero + timedelta(seconds=uptime())

    @property
    def is_set(self) -> bool:
        """Whether it was set."""
        return self._zero is not None

    def set(self, instant: datetime, at: float) -> timedelta:
        """Set it: it was this instant when :func:`uptime` was ``at``. Return by how much it jumped, 0 for a little."""
        if self._source is not None:
            return timedelta()
        zero = instant - timedelta(seconds=at)
        jump = timedelta() if self._zero is None else zero - self._zero
        self._zero, self._set_at = zero, at
        if abs(jump) <= JUMP:
            return timedelta()
        self._jumped_at = at
        if jump < timedelta():
            self._fell_at = at
        return jump

    @property
    def age(self) -> float:
        """Seconds since it was set."""
        return uptime() - self._set_at

    @property
    def fell_back(self) -> bool:
        """Whether it was set back just now: what is due by the time of before lies ahead."""
        return uptime() - self._fell_at < _FALL_SECONDS

    def jumped_within(self, duration: timedelta) -> bool:
        """Whether it jumped during the last so long: a lease of before may seem to have run out."""
        return uptime() - self._jumped_at < duration.total_seconds()
