"""The clocks of the service: the wall clock for what people read, and the queue's clock for what is due."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

now: Final = partial(datetime.now, UTC)
"""Returns the present instant, aware and in UTC. It may step: for durations use ``time.monotonic``."""

uptime: Final = partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
"""Returns the seconds since this machine started: one clock for all of its processes, and no step moves it."""


class QueueClock:
    """The clock of due times and leases: all who share a journal set theirs to the same (``journal/queue_clock.py``).

    It runs with the uptime. Until it is set it tells the wall clock.
    """

    def __init__(self, source: Callable[[], datetime] | None = None) -> None:
        """``source`` takes the place of all clocks, for a test."""
        self.source = source
        self.zero: datetime | None = None
        """The instant at which the uptime was 0."""
        self.set_at = self.jumped_at = self.fell_at = float("-inf")
        """When (:func:`uptime`) it was last set, set to a jump, and set back."""

    def now(self) -> datetime:
        """Return the present instant of the queue, aware and in UTC."""
        if self.source is not None:
            return self.source()
        return now() if self.zero is None else self.zero + timedelta(seconds=uptime())
