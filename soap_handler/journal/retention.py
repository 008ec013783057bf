"""How long finished notifications are kept, and when old ones are looked for. What is deleted is said by the journal.

A message that is purged and still in the EMS inbox would be recovered as new. Where an inbox is configured it cannot be
there: it is done because EMS confirmed its delete, and each reconciliation since would have had it deleted again.
Whoever configures an inbox later, for an account that had none, should first empty it by hand of what is older.
"""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.errors import JournalUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.journal import Journal

_INTERVAL: Final = 3600.0  # seconds between two rounds
_FIRST: Final = 60.0  # seconds: a service that starts has more urgent things to do
_JITTER: Final = 0.5  # of either, more or less: processes that started together must not go on together
_LEISURE: Final = 4.0  # a step is followed by a pause so many times as long, so that a purge takes a fifth at most
_SHORTEST: Final = 0.02  # seconds


def _now() -> datetime:
    return datetime.now(UTC)


class Retention:
    """Purges what has been done for longer than it is kept, in a thread of its own. Several processes do no harm."""

    def __init__(self, journal: Journal, days: float, clock: Callable[[], datetime] = _now) -> None:
        """``days`` is how long it is kept; 0 keeps it for ever. Somebody else closes the journal."""
        self._journal = journal
        self._kept = timedelta(days=days)
        self._clock = clock
        self._random = random.Random()  # noqa: S311 - spreads work, guards nothing
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begin; nothing is done where everything is kept."""
        if self._kept:
            self._thread.start()

    def stop(self, timeout: float) -> bool:
        """End after the present step; return whether ``timeout`` seconds were enough."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def purge(self) -> int:
        """Go through the old part of the journal once; return how many notifications were deleted.

        Raises:
            JournalUnavailableError: the journal is out of reach. What was deleted until then is gone.
        """
        before, after, deleted = self._clock() - self._kept, 0, 0
        while not self._stopping.is_set():
            began = time.monotonic()
            cleared = self._journal.purge(before, after)
            deleted += cleared.deleted
            if cleared.after is None:
                self._journal.purge_reconciliations(before)
                break
            after = cleared.after
            self._stopping.wait(max(_SHORTEST, _LEISURE * (time.monotonic() - began)))
        return deleted

    def _run(self) -> None:
        pause = _FIRST
        while not self._stopping.wait(pause * self._random.uniform(1 - _JITTER, 1 + _JITTER)):
            pause = _INTERVAL
            try:
                deleted = self.purge()
            except JournalUnavailableError as error:
                telemetry.emit("purge_waits_for_journal", reason=str(error))
            except Exception:  # noqa: BLE001 - whatever it is, the next round is made
                telemetry.emit("purge_broke", exc_info=True)
            else:
                telemetry.emit("purged", notifications=deleted, kept_days=self._kept / timedelta(days=1))
