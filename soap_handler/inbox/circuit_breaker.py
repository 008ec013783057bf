"""When the inbox of one account may be called again. Nothing here calls it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.settings import DeleteSettings

_LONGEST_PAUSE: Final = 3600.0  # seconds


def _now() -> datetime:
    return datetime.now(UTC)


class Gate:
    """When the inbox of one account may be called again. Used by one thread; any thread may look at ``paused``.

    After a failure it stays shut for a back-off: the trouble is the inbox's, so a message that has just been handled
    has no better chance than those that failed. After a refusal it stays shut longer, and opens for one message only,
    since quick retries with a wrong password lock the account (contract, section 2).
    """

    def __init__(self, account: str, settings: DeleteSettings, clock: Callable[[], datetime] = _now) -> None:
        self._account = account
        self._clock = clock
        self._backoff = Backoff(settings.backoff, settings.backoff_cap)
        self._pause = Backoff(settings.refused_backoff, max(settings.refused_backoff, _LONGEST_PAUSE))
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._failures = 0
        self._refusals = 0
        self._opens_at = clock()

    @property
    def paused(self) -> bool:
        """Whether EMS refused us and has not accepted us since."""
        return self._refusals > 0

    def wait(self) -> float:
        """Return for how long the inbox must not be called, in seconds; 0 when it may be."""
        return max(0.0, (self._opens_at - self._clock()).total_seconds())

    def succeeded(self) -> None:
        """EMS accepted us: open wide."""
        if self.paused:
            telemetry.emit("inbox_accepted_again", account=self._account, refusals=self._refusals)
        self._failures = self._refusals = 0

    def failed(self) -> datetime:
        """Shut because the inbox did not answer as it should; return when it opens again."""
        self._failures += 1
        if self.paused:
            return self._shut(timedelta(seconds=self._pause.longest(self._refusals)))
        return self._shut(self._backoff.delay(self._failures, self._random))

    def refused(self, reason: str) -> datetime:
        """Shut because EMS refused us, each time for twice as long; return when it opens again."""
        self._refusals += 1
        pause = self._pause.longest(self._refusals)
        telemetry.emit(
            "inbox_refused", account=self._account, reason=reason, refusals=self._refusals, pause_seconds=pause
        )
        return self._shut(timedelta(seconds=pause))

    def _shut(self, pause: timedelta) -> datetime:
        self._opens_at = self._clock() + pause
        return self._opens_at
