"""How much of the machine handling may take while a burst comes in. Arithmetic over a clock; it runs nothing.

Receiving cannot wait, since EMS counts on an answer; handling can. So during a burst handling gives way, but it never
stands still: a share of what arrives is dispatched meanwhile, and the rest as soon as the burst is over. What goes on
for longer is no burst but the daily load, so the share grows until handling keeps up with it.
"""

from __future__ import annotations

import mmap
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_BURST: Final = 300.0  # arrivals a second above which handling gives way; below, there is room for both
_BUSY: Final = 100.0  # arrivals a second from which handling takes several at a time, since each commit holds them up
_PATIENCE: Final = 10.0  # seconds after which a burst is one no more
_GROWTH: Final = 0.2  # by how much the share grows each second from then on; the backlog is worked off above 1
_SHARE: Final = 0.115  # of what arrives is dispatched during a burst; at least a tenth is promised
_WINDOW: Final = 0.2  # seconds over which the rate is measured
_SLICE: Final = 0.1  # seconds between two claims during a burst: small ones, so that nobody waits for a large one
_BREATH: Final = 0.01  # seconds between two claims when it is only busy


class Board:
    """Where the processes that share a port write how many notifications each has taken in, for all of them to see."""

    def __init__(self, places: int = 1) -> None:
        """Make it before the processes are forked; each then has a place of its own, counted from 0."""
        self._counts = memoryview(mmap.mmap(-1, 8 * places)).cast("Q")

    def __len__(self) -> int:
        return len(self._counts)

    def write(self, place: int, count: int) -> int:
        """Write the count of one process; return the sum of all."""
        self._counts[place] = count
        return sum(self._counts)


class Pace:
    """Says how many notifications may be claimed now. For one thread."""

    def __init__(
        self,
        arrived: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        board: Board | None = None,
        place: int = 0,
    ) -> None:
        """``arrived`` tells how many notifications this process has recorded since the start.

        ``board`` and ``place``: where others share the port, and the work.
        """
        self._arrived = arrived
        self._clock = clock
        self._board = board or Board()
        self._place = place
        self._looked = self._asked = clock()
        self._known = self._count()
        self._rate = self._owed = self._began = 0.0
        self.bursting = False
        """Whether notifications arrive faster than both sides can be served."""

    def allows(self, wanted: int) -> int:
        """Return how many of the wanted claims may be made now."""
        now = self._clock()
        if now - self._looked >= _WINDOW:
            self._look(now)
        if not self.bursting:
            self._asked = now
            return wanted
        most = max(1.0, self._due(now) * 2 * _WINDOW)  # less than one would never become one
        self._owed = min(self._owed + self._due(now) * (now - self._asked), most)
        self._asked = now
        granted = min(wanted, int(self._owed))
        self._owed -= granted
        return granted

    def _look(self, now: float) -> None:
        """Find out how fast notifications arrive, on all processes together."""
        elapsed, count = now - self._looked, self._count()
        new = max(0, count - self._known)  # a process that is started again begins at 0
        self._looked, self._known = now, count
        self._rate = new / elapsed
        bursting = self._rate > _BURST
        if not bursting:
            self._owed = 0.0
        elif not self.bursting:
            self._began, self._asked = now, now - elapsed
        self.bursting = bursting

    def _due(self, now: float) -> float:
        """Return how many notifications a second this process owes to their handlers."""
        share = _SHARE + _GROWTH * max(0.0, now - self._began - _PATIENCE)
        return share * self._rate / len(self._board)

    def _count(self) -> int:
        return self._board.write(self._place, self._arrived())

    @property
    def rest(self) -> float:
        """For how long (seconds) to leave the others alone before asking again; 0 when little arrives."""
        if self._rate <= _BUSY:
            return 0.0
        return max(0.0, self._asked + (_SLICE if self.bursting else _BREATH) - self._clock())
