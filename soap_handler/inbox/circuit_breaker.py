"""The circuit breaker of one inbox: when it may be called again after failures and refusals. Nothing here calls it."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from soap_handler import clock, telemetry
from soap_handler.log_throttle import Outage
from soap_handler.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from soap_handler.settings import DeleteSettings

_REFUSED_CAP_SECONDS: Final = 3600.0  # a person may take a night to look; until then EMS hears from us once an hour


class CircuitBreaker:
    """A circuit breaker for the inbox of one account. Used by one thread; any may look at :attr:`login_refused`.

    Closed: calls are made. Open: none are made, for a back-off. It opens after a failure, since the trouble is the
    inbox's: a message that has just been handled has no better chance than those that failed. It opens for longer
    after a refusal, since quick retries with a wrong password lock the account (contract, section 2). Half-open: the
    back-off after a refusal is over, and a call with one message finds out whether EMS accepts us again.
    """

    def __init__(self, account: str, settings: DeleteSettings, now: Callable[[], datetime] = clock.now) -> None:
        """``account`` is its reference."""
        self._account = account
        self._now = now
        self._failure_backoff = Backoff(settings.backoff, settings.backoff_cap)
        self._refusal_backoff = Backoff(settings.refused_backoff, max(settings.refused_backoff, _REFUSED_CAP_SECONDS))
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._outage: Outage | None = None
        self._failures = 0
        self._refusals = 0
        self._open_until = now()

    @property
    def login_refused(self) -> bool:
        """Whether EMS refused us and has not accepted us since: open or half-open, with one message for each call."""
        return self._refusals > 0

    def open_for(self) -> float:
        """Return for how many seconds no call may be made; 0 when one may be."""
        return max(0.0, (self._open_until - self._now()).total_seconds())

    def succeeded(self) -> None:
        """EMS accepted us: close."""
        if self.login_refused:
            telemetry.emit("inbox_accepted_again", account=self._account, refusals=self._refusals)
        if self._outage is not None:
            seconds, self._outage = self._outage.seconds, None
            telemetry.emit("inbox_recovered", account=self._account, seconds=seconds, failures=self._failures)
        self._failures = self._refusals = 0

    def failed(self) -> datetime:
        """Open because the inbox did not answer as it should; return until when."""
        self._outage = self._outage or Outage()
        self._failures += 1
        if self.login_refused:
            return self._open(timedelta(seconds=self._refusal_backoff.longest(self._refusals)))
        return self._open(self._failure_backoff.delay(self._failures, self._random))

    def refused(self, reason: str) -> datetime:
        """Open because EMS refused us, each time for twice as long; return until when."""
        self._refusals += 1
        seconds = self._refusal_backoff.longest(self._refusals)
        telemetry.emit(
            "inbox_refused", account=self._account, reason=reason, refusals=self._refusals, pause_seconds=seconds
        )
        return self._open(timedelta(seconds=seconds))

    def _open(self, duration: timedelta) -> datetime:
        self._open_until = self._now() + duration
        return self._open_until
