"""How much of the machine handling may take while a burst comes in. Arithmetic over a clock; it runs nothing.

Receiving cannot wait, since EMS counts on an answer; handling can. So during a burst handling gives way, but it never
stands still: a share of what arrives is dispatched meanwhile, and the rest as soon as the burst is over. What goes on
for longer is no burst but the daily load, so the share grows until handling keeps up with it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_BURST: Final = 100.0  # arrivals a second above which handling gives way; below, there is room for both
_PATIENCE: Final = 10.0  # seconds after which a burst is one no more
_GROWTH: Final = 0.2  # by how much the share grows each second from then on; the backlog is worked off above 1
_SHARE: Final = 0.15  # of what arrives is dispatched during a burst; at least a tenth is promised
_WINDOW: Final = 0.2  # seconds over which the rate is measured, and between two claims during a burst


class Pace:
    """Says how many notifications may be claimed now. For one thread."""

    def __init__(self, arrived: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        """``arrived`` tells how many notifications have been recorded since the start."""
        self._arrived = arrived
        self._clock = clock
        self._looked = clock()
        self._known = arrived()
        self._owed = 0.0
        self._began = 0.0
        self.bursting = False
        """Whether notifications arrive faster than both sides can be served."""

    def allows(self, wanted: int) -> int:
        """Return how many of the wanted claims may be made now."""
        now = self._clock()
        elapsed = now - self._looked
        if elapsed >= _WINDOW:
            new = self._arrived() - self._known
            self._note(now, bursting=new > _BURST * elapsed)
            share = _SHARE + _GROWTH * max(0.0, now - self._began - _PATIENCE)
            self._owed = min(self._owed, share * new) + share * new
            self._looked, self._known = now, self._known + new
        if not self.bursting:
            return wanted
        granted = min(wanted, int(self._owed))
        self._owed -= granted
        return granted

    def _note(self, now: float, *, bursting: bool) -> None:
        if not (bursting and self.bursting):
            self._began = now
        self.bursting = bursting

    @property
    def rest(self) -> float:
        """For how long (seconds) to leave the others alone before asking again; 0 outside a burst."""
        return max(0.0, self._looked + _WINDOW - self._clock()) if self.bursting else 0.0
