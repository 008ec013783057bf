"""The circuit breaker of the deletes from one inbox: when it may be called again after failures. Nothing here calls it.

A refused login is another matter, which concerns all processes: see login_gate.py.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.log_throttle import Outage
from soap_handler.metrics.catalogue import CIRCUIT_OPEN
from soap_handler.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.settings import DeleteSettings

_random: Final = random.Random()  # noqa: S311 - spreads retries, guards nothing; one for all, as each has 2.5 kB


class CircuitBreaker:
    """A circuit breaker for the deletes of one account. Used by one thread.

    Closed: calls are made. Open: none are made, for a back-off. It opens after a failure, since the trouble is the
    inbox's: a message that has just been handled has no better chance than those that failed.
    """

    def __init__(
        self, settings: DeleteSettings, now: Callable[[], float] = time.monotonic, *, account: str = ""
    ) -> None:
        """Build a closed one, with the back-off of these settings. ``now`` is a clock in seconds that does not step.

        ``account`` is a reference, for the log.
        """
        self._account = account
        self._now = now
        self._backoff = Backoff(settings.backoff, settings.backoff_cap)
        self._outage: Outage | None = None
        self._failures = 0
        self._open_until = now()
        CIRCUIT_OPEN.set(0, "inbox", account)

    def open_for(self) -> float:
        """Return for how many seconds no call may be made; 0 when one may be."""
        return max(0.0, self._open_until - self._now())

    def succeeded(self) -> None:
        """Note that the inbox answered as it should: close."""
        if self._outage is not None:
            seconds, self._outage = self._outage.seconds, None
            CIRCUIT_OPEN.set(0, "inbox", self._account)
            telemetry.emit("inbox_recovered", account=self._account, seconds=seconds, failures=self._failures)
        self._failures = 0
        self._open_until = self._now()

    def failed(self) -> float:
        """Open because the inbox did not answer as it should; return for how many seconds."""
        self._outage = self._outage or Outage(self._now)
        CIRCUIT_OPEN.set(1, "inbox", self._account)
        self._failures += 1
        seconds = self._backoff.delay(self._failures, _random).total_seconds()
        self._open_until = self._now() + seconds
        return seconds
