"""Retention: when finished notifications are purged, and how old they are then. The deletion itself is in purge.py.

The wall clock alone makes nothing old: it may be wrong for a minute, and EMS pushes again what it has no answer to for
72 hours. So nothing goes before ``FLOOR`` has surely passed since it came in, whatever the clock and the setting say.

A message that is purged and still in the EMS inbox would be recovered as new. Where an inbox is configured it cannot be
there: it is done because EMS confirmed its delete, and each reconciliation since would have had it deleted again.
For an account that gets an inbox only later, empty the inbox by hand of what is older first.
"""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.background import BackgroundLoop
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal.operator import audit

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from soap_handler.journal import Journal

ROUND_SECONDS: Final = 3600.0
"""Between two rounds."""
FLOOR: Final = timedelta(days=4)
"""The shortest time for which anything is kept: EMS pushes for 72 hours. Only time in which a service ran counts."""
_START_DELAY_SECONDS: Final = 60.0  # before the first round: a service that starts has more urgent things to do
_JITTER: Final = 0.5  # of either, more or less: processes that started together must not go on together
_PAUSE_PER_STEP: Final = 4.0  # a step is followed by a pause so many times as long: a purge takes a fifth at most
_SHORTEST_PAUSE_SECONDS: Final = 0.02


class Retention(BackgroundLoop):
    """Purges in small steps what has been done for longer than it is kept. Several processes at once do no harm."""

    def __init__(
        self,
        journal: Journal,
        days: float,
        now: Callable[[], datetime] | None = None,
        *,
        delay: float = _START_DELAY_SECONDS,
        floor: timedelta = FLOOR,
        audit_days: float = 0.0,
    ) -> None:
        """``days`` is how long it is kept, ``audit_days`` how long the audit trail is; 0 keeps it for ever.

        ``delay`` seconds pass before the first round.

        ``now`` takes the place of the journal's clock, for a test.

        The journal is not closed by this class.
        """
        self._floor = floor
        self._asked_at = time.monotonic()
        self._random = random.Random()  # noqa: S311 - spreads work, guards nothing
        super().__init__("retention", delay=self._jittered(delay))
        self._journal = journal
        self._kept = timedelta(days=days)
        self._audit_kept = timedelta(days=audit_days)
        self._now = now or journal.now

    def start(self) -> None:
        """Begin; there is no thread where everything is kept."""
        if self._kept or self._audit_kept:
            super().start()

    def round(self) -> float:
        """Purge once; return the pause until the next round."""
        if self._kept:
            deleted = self.purge()
            telemetry.emit("purged", notifications=deleted, kept_days=self._kept / timedelta(days=1))
        if self._audit_kept:
            audit.forget(self._journal, self._now() - self._audit_kept)
        return self._jittered(ROUND_SECONDS)

    def failed(self, error: Exception) -> float:
        """Log the failure; the next round comes at its usual time."""
        if isinstance(error, JournalUnavailableError):
            telemetry.emit("purge_waits_for_journal", reason=str(error))
        else:
            telemetry.emit("purge_broke", exc_info=error)
        return self._jittered(ROUND_SECONDS)

    def purge(self) -> int:
        """Go through the old part of the journal once; return how many notifications were deleted.

        Raises:
            JournalUnavailableError: the journal is out of reach. What was deleted until then is gone.
        """
        before, after, deleted = self._now() - self._kept, 0, 0
        last = self._last_old() if self._floor else None
        while not self.stopping.is_set():
            began = time.monotonic()
            cleared = self._journal.purge(before, after, last)
            deleted += cleared.deleted
            if cleared.after is None:
                self._journal.purge_reconciliations(before)
                break
            after = cleared.after
            self.stopping.wait(max(_SHORTEST_PAUSE_SECONDS, _PAUSE_PER_STEP * (time.monotonic() - began)))
        return deleted

    def _last_old(self) -> int:
        """Return the newest notification that surely is older than the floor; 0 for none."""
        now = time.monotonic()
        last = self._journal.pass_time(timedelta(seconds=now - self._asked_at), self._floor)
        self._asked_at = now
        return last

    def _jittered(self, seconds: float) -> float:
        return seconds * self._random.uniform(1 - _JITTER, 1 + _JITTER)
