"""Load shedding with a token bucket: in a burst of pushes, handling and deleting give way to receiving.

Receiving cannot wait, since EMS counts on an answer; handling can. The trade-off: a notification of a burst reaches its
handler some seconds later. Handling never stands still: a share of what arrives is dispatched meanwhile (a tenth, or
less where each takes much CPU time, as a request to a web hook), and the rest as soon as the burst is over. A burst
that goes on is the daily load, so the share grows until handling keeps up with it. Deletes have the most time of all,
since a message does no harm in the inbox: there is a call now and then.

Where several processes share the port, those to which next to nothing comes do the work of all: it holds up no answer.
Each destination has a bucket of its own; those that have work divide what flows into them.

Without it: 0.61 of the rate with 8 connections, 0.47 with 32.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from soap_handler.dispatch.admission import Admission

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.fast.scoreboard import WorkerSlot

_BURST_RATE: Final = 300.0  # arrivals a second above which handling gives way; below, there is room for both
_BUSY_RATE: Final = 100.0  # arrivals a second from which handling takes several at a time: each commit holds them up
_BURST_SECONDS: Final = 10.0  # after which a burst is one no more
_SHARE_GROWTH: Final = 0.2  # by how much the share grows each second from then on; above 1 the backlog is worked off
_IDLE_SHARE: Final = 0.05  # of all that arrives: a process that takes in less has its hands free
_BURST_SHARE: Final = 0.12  # of what arrives is dispatched during a burst; at least a tenth is promised
_WINDOW_SECONDS: Final = 0.2  # over which the rate is measured
_BUCKET_WINDOWS: Final = 2  # windows' worth of tokens that the bucket holds
_BUCKET_TOKENS: Final = 2.0  # that it holds at least: in a smaller one the fraction of a token would be lost
_SHARING_SECONDS: Final = 1.0  # after its latest claim in a burst, a destination has work
_BURST_CLAIM_SECONDS: Final = (
    0.1  # between two claims during a burst: small ones, so that no push waits for a large one
)
_BUSY_CLAIM_SECONDS: Final = 0.01  # between two claims when it is only busy
_DELETE_GAP_SECONDS: Final = 1.0  # between two calls of an inbox during a burst


class LoadShedding(Admission):
    """Admission control of one destination by load shedding. For one thread; any may ask for its pauses and gaps."""

    def __init__(
        self, slot: WorkerSlot, clock: Callable[[], float] = time.monotonic, all_here: Sequence[LoadShedding] = ()
    ) -> None:
        """``slot`` counts the arrivals of this process, and those of the others that share the port.

        ``all_here`` are those of all destinations of this process, this one among them or not.
        """
        self._slot = slot
        self._clock = clock
        self._all_here = all_here
        self._measured_at = self._asked_at = clock()
        self._counts = slot.all_arrivals  # when they were measured last, by process
        self._rate = 0.0  # arrivals a second, at all processes
        self._own_rate = 0.0  # arrivals a second of which a share is this process's to dispatch
        self._tokens = 0.0  # claims that may be made now; not used outside of a burst
        self._granted = 0  # of these, by the latest answer
        self._worked_before = float("-inf")
        self.worked_at = float("-inf")
        """When tokens were used last, on the clock."""
        self._burst_began_at = 0.0
        self.bursting = False
        """Whether notifications arrive faster than both sides can be served."""

    def allows(self, wanted: int, cost: float = 1.0) -> int:
        """Return how many of the wanted claims may be made now: all, or in a burst what the token bucket holds."""
        now = self._clock()
        if now - self._measured_at >= _WINDOW_SECONDS or self._window_is_full():
            self._measure(now)
        if not self.bursting:
            self._asked_at = now
            return wanted
        refill = self._refill_rate(now, cost) / self._destinations_at_work(now)
        bucket = max(_BUCKET_TOKENS, refill * _BUCKET_WINDOWS * _WINDOW_SECONDS)
        self._tokens = min(self._tokens + refill * (now - self._asked_at), bucket)
        self._asked_at = now
        granted = min(wanted, int(self._tokens))
        self._tokens -= granted
        self._granted = granted
        if granted:
            self._worked_before, self.worked_at = self.worked_at, now
        return granted

    def give_back(self, count: int) -> None:
        """Put back into the bucket what was granted and not used."""
        if not self.bursting or count <= 0:
            return
        self._tokens += count
        if count >= self._granted:
            self.worked_at = self._worked_before

    def _destinations_at_work(self, now: float) -> int:
        """Return how many destinations of this process use their share at present, this one included."""
        return 1 + sum(each is not self and now - each.worked_at < _SHARING_SECONDS for each in self._all_here)

    def in_burst(self) -> bool:
        """Whether a burst is on, or enough for one has arrived since the last measurement."""
        return self.bursting or self._window_is_full()

    @property
    def pause(self) -> float:
        """For how many seconds to leave the machine to receiving before the next claim; 0 when little arrives."""
        if self._rate <= _BUSY_RATE:
            return 0.0
        interval = _BURST_CLAIM_SECONDS if self.bursting else _BUSY_CLAIM_SECONDS
        return max(0.0, self._asked_at + interval - self._clock())

    @property
    def delete_gap(self) -> float:
        """For how many seconds to leave the machine to receiving between two calls of an inbox; 0 without a burst."""
        is_young = self._clock() - self._burst_began_at <= _BURST_SECONDS
        return _DELETE_GAP_SECONDS if self.bursting and is_young else 0.0

    def _window_is_full(self) -> bool:
        """Whether more has arrived than in a whole window without a burst; the rest of it need not be waited for."""
        if self.bursting or self._clock() <= self._measured_at:
            return False
        return sum(self._slot.all_arrivals) - sum(self._counts) > _BURST_RATE * _WINDOW_SECONDS

    def _measure(self, now: float) -> None:
        """Measure how fast notifications arrive, on all processes together and on this one."""
        elapsed = now - self._measured_at
        if not self.bursting:  # after a long sleep all of it may have arrived just now: the beginning of a burst
            elapsed = min(elapsed, _WINDOW_SECONDS)
        counts = self._slot.all_arrivals
        rates = [(count - before) / elapsed for count, before in zip(counts, self._counts, strict=True)]
        self._measured_at, self._counts = now, counts
        self._rate = sum(rates)
        self._own_rate = self._own_part(rates)
        bursting = self._rate > _BURST_RATE
        if not bursting:
            self._tokens = 0.0
        elif not self.bursting:
            self._burst_began_at, self._asked_at = now, now - elapsed
        self.bursting = bursting

    def _own_part(self, rates: list[float]) -> float:
        """Return of how many arrivals a second a share is this process's to dispatch."""
        idle = [number for number in self._slot.present if rates[number] < _IDLE_SHARE * self._rate]
        if not idle:
            return rates[self._slot.number]
        return self._rate / len(idle) if self._slot.number in idle else 0.0

    def _refill_rate(self, now: float, cost: float) -> float:
        """Return how many tokens a second flow into the bucket.

        At first a share of this process's part, less where each takes much CPU time, such as a request to a web hook;
        what goes on for longer is worked off by all processes.
        """
        growth = _SHARE_GROWTH * max(0.0, now - self._burst_began_at - _BURST_SECONDS)
        return _BURST_SHARE * self._own_rate / cost + growth * self._rate / self._slot.workers
