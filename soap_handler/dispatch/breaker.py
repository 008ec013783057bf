"""The circuit breaker of one destination: after failures that are the destination's, it is left alone for a while.

Closed: deliveries go out. Open: none do, for a back-off. Half-open: one delivery finds out whether it works again. What
fails while it is open, or opens it, is no attempt: an outage of the destination takes no attempt from a notification.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.metrics.catalogue import CIRCUIT_OPEN
from soap_handler.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES_TO_OPEN: Final = 5
"""Failures in a row, of whatever notification, that open the breaker."""
_BACKOFF: Final = Backoff(first=1.0, cap=900.0)
_GONE_SECONDS: Final = 3600.0  # between two tries at a destination that asked for no more


class Breaker:
    """A circuit breaker. Thread-safe; its clock is monotonic."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        """``name`` is the destination's, for the log."""
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until = 0.0
        self._opened_at: float | None = None  # since when it has not been closed
        CIRCUIT_OPEN.set(0, "sink", name)

    @property
    def is_closed(self) -> bool:
        """Whether deliveries go out as usual."""
        return self._opened_at is None

    def open_for(self) -> float:
        """Return for how many seconds no delivery may go out; 0 when one may."""
        with self._lock:
            return 0.0 if self._opened_at is None else max(0.0, self._open_until - self._clock())

    def allows(self, wanted: int, under_way: int) -> int:
        """Return how many of the wanted deliveries may go out now, beside those that are under way."""
        if self.is_closed:
            return wanted
        return min(wanted, 1) if not under_way and not self.open_for() else 0

    def succeeded(self) -> None:
        """Close: the destination works."""
        with self._lock:
            self._failures = 0
            opened_at, self._opened_at = self._opened_at, None
        if opened_at is not None:
            CIRCUIT_OPEN.set(0, "sink", self._name)
            telemetry.emit("sink_resumed", sink=self._name, seconds=round(self._clock() - opened_at, 1))

    def failed(self, reason: str, after: float | None = None, *, for_good: bool = False, is_echo: bool = False) -> bool:
        """Note a failure of the destination; return whether the breaker is open, so that it is no attempt.

        ``after`` is the shortest pause in seconds that the destination asked for. ``for_good`` opens it at once.
        ``is_echo``: another delivery of the same request tells of this failure, which counts once.
        """
        with self._lock:
            now = self._clock()
            if self._opened_at is not None and self._open_until > now:
                return True  # one of those that were under way when it opened: that is the same failure
            at_once = for_good or after is not None
            if is_echo and self._opened_at is None and not at_once:
                return False
            self._failures += not is_echo
            if self._failures < FAILURES_TO_OPEN and not at_once and self._opened_at is None:
                return False
            opened = max(1, self._failures - FAILURES_TO_OPEN + 1)
            seconds = _GONE_SECONDS if for_good else max(after or 0.0, _BACKOFF.longest(opened))
            self._open_until = now + seconds
            self._opened_at = now if self._opened_at is None else self._opened_at
            CIRCUIT_OPEN.set(1, "sink", self._name)
        telemetry.emit("sink_paused", sink=self._name, reason=reason, seconds=seconds, for_good=for_good)
        return True
