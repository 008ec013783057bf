"""How much of the machine handling and deleting may take while a burst comes in. Arithmetic over a clock.

Receiving cannot wait, since EMS counts on an answer; handling can. So during a burst handling gives way, but it never
stands still: a share of what arrives is dispatched meanwhile, and the rest as soon as the burst is over. What goes on
for longer is no burst but the daily load, so the share grows until handling keeps up with it. Deletes have the most
time of all, since a message does no harm in the inbox: of them there is a call now and then.

Where several processes share the port, those to which next to nothing comes do the work of all: it holds up no answer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.fast.scoreboard import WorkerSlot

_BURST: Final = 300.0  # arrivals a second above which handling gives way; below, there is room for both
_BUSY: Final = 100.0  # arrivals a second from which handling takes several at a time, since each commit holds them up
_PATIENCE: Final = 10.0  # seconds after which a burst is one no more
_GROWTH: Final = 0.2  # by how much the share grows each second from then on; the backlog is worked off above 1
_LITTLE: Final = 0.05  # of all that arrives: a process that takes in less has its hands free
_SHARE: Final = 0.12  # of what arrives is dispatched during a burst; at least a tenth is promised
_WINDOW: Final = 0.2  # seconds over which the rate is measured
_SLICE: Final = 0.1  # seconds between two claims during a burst: small ones, so that nobody waits for a large one
_BREATH: Final = 0.01  # seconds between two claims when it is only busy
_GAP: Final = 1.0  # seconds between two calls of an inbox during a burst


class Pace:
    """Says how many notifications may be claimed now. For one thread, but that any may ask for the :attr:`gap`."""

    def __init__(self, slot: WorkerSlot, clock: Callable[[], float] = time.monotonic) -> None:
        """``slot`` tells what arrives here, and where others share the port, and the work, there."""
        self._slot = slot
        self._clock = clock
        self._looked = self._asked = clock()
        self._known = slot.all_arrivals
        self._rate = self._part = self._owed = self._began = 0.0
        self.bursting = False
        """Whether notifications arrive faster than both sides can be served."""

    def allows(self, wanted: int) -> int:
        """Return how many of the wanted claims may be made now."""
        now = self._clock()
        if now - self._looked >= _WINDOW or self.burst_begins():
            self._look(now)
        if not self.bursting:
            self._asked = now
            return wanted
        due = self._due(now)
        most = max(2.0, due * 2 * _WINDOW)  # with less, what is left of one would be lost
        self._owed = min(self._owed + due * (now - self._asked), most)
        self._asked = now
        granted = min(wanted, int(self._owed))
        self._owed -= granted
        return granted

    def burst_begins(self) -> bool:
        """Whether more has arrived than in a whole window without a burst; the rest of it need not be waited for."""
        if self.bursting or self._clock() <= self._looked:
            return False
        return sum(self._slot.all_arrivals) - sum(self._known) > _BURST * _WINDOW

    def _look(self, now: float) -> None:
        """Find out how fast notifications arrive, on all processes together and on this one."""
        elapsed = now - self._looked
        if not self.bursting:  # who has not looked for long may find the beginning of a burst
            elapsed = min(elapsed, _WINDOW)
        counts = self._slot.all_arrivals
        rates = [(count - before) / elapsed for count, before in zip(counts, self._known, strict=True)]
        self._looked, self._known = now, counts
        self._rate = sum(rates)
        self._part = self._part_of(rates)
        bursting = self._rate > _BURST
        if not bursting:
            self._owed = 0.0
        elif not self.bursting:
            self._began, self._asked = now, now - elapsed
        self.bursting = bursting

    def _part_of(self, rates: list[float]) -> float:
        """Return of how many arrivals a second a share is this process's to dispatch."""
        free = [number for number in self._slot.present if rates[number] < _LITTLE * self._rate]
        if not free:
            return rates[self._slot.number]
        return self._rate / len(free) if self._slot.number in free else 0.0

    def _due(self, now: float) -> float:
        """Return how many notifications a second this process owes to their handlers.

        At first a share of its part; what goes on for longer is worked off by all.
        """
        growth = _GROWTH * max(0.0, now - self._began - _PATIENCE)
        return _SHARE * self._part + growth * self._rate / self._slot.workers

    @property
    def rest(self) -> float:
        """For how long (seconds) to leave the others alone before asking again; 0 when little arrives."""
        if self._rate <= _BUSY:
            return 0.0
        return max(0.0, self._asked + (_SLICE if self.bursting else _BREATH) - self._clock())

    @property
    def gap(self) -> float:
        """For how long (seconds) to leave the others alone between two calls of an inbox; 0 when there is no burst."""
        return _GAP if self.bursting and self._clock() - self._began <= _PATIENCE else 0.0
