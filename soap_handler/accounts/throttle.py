"""Slows those who present wrong credentials, and keeps the log from being flooded by them. It checks nobody.

What is counted is wrong credentials from one address for one account. Up to a budget they are answered at once; beyond
it each wrong answer is held back, longer and longer, and no costly check is made for it but one a second. Nothing here
ever stands in the way of the right credentials: whoever presents them is recognised before anybody asks this module,
so that a guesser who shares an address with EMS, such as a proxy's, cannot lock EMS out.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_ENTRIES: Final = 10_000  # about two megabytes
_FIRST: Final = 0.5  # seconds: the first answer that is held back; each later one is held twice as long
_FORGET: Final = 900.0  # seconds without a wrong one after which all is forgiven
_LOOK: Final = 1.0  # seconds between two costly checks for one who is over the budget
_SAID: Final = 60.0  # seconds in which a thing is logged once


@dataclass(slots=True)
class _Record:
    failures: int = 0
    last: float = 0.0
    looked: float = float("-inf")


class Throttle:
    """Counts wrong credentials by a key, of which it keeps the 10,000 that were used last. Thread-safe."""

    def __init__(self, budget: int, longest: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``budget`` wrong ones are answered at once, later ones are held back for ``longest`` seconds at most."""
        self._budget = budget
        self._longest = longest
        self._clock = clock
        self._records: OrderedDict[Hashable, _Record] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._records)

    def may_check(self, key: Hashable) -> bool:
        """Whether a costly check may be made: always within the budget, and beyond it once a second."""
        now = self._clock()
        with self._lock:
            record = self._records.get(key)
            if record is None or record.failures < self._budget or now - record.last > _FORGET:
                return True
            if now - record.looked < _LOOK:
                return False
            record.looked = now
            return True

    def failed(self, key: Hashable) -> float | None:
        """Count a wrong one; return for how long (seconds) its answer is to be held back, or ``None`` in the budget."""
        now = self._clock()
        with self._lock:
            record = self._records.setdefault(key, _Record())
            self._records.move_to_end(key)
            if now - record.last > _FORGET:
                record.failures = 0
            record.failures += 1
            record.last = now
            while len(self._records) > _ENTRIES:
                self._records.popitem(last=False)
            over = record.failures - self._budget
        return None if over <= 0 else min(self._longest, _FIRST * 2.0 ** min(over - 1, 30))


class Quiet:
    """Lets each thing be said once a minute, and counts how often it would have been said. Thread-safe, bounded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def due(self, key: Hashable) -> int:
        """Return 0 to be silent, or else how often the thing happened since it was said last, this time included."""
        now = self._clock()
        with self._lock:
            since, silent = self._said.get(key, (float("-inf"), 0))
            if now - since < _SAID:
                self._said[key] = (since, silent + 1)
                return 0
            self._said[key] = (now, 0)
            self._said.move_to_end(key)
            while len(self._said) > _ENTRIES:
                self._said.popitem(last=False)
            return silent + 1


@lru_cache(maxsize=1024)  # a few callers call again and again
def neighbourhood(address: str) -> str:
    """Return what is counted as one address: itself, or the /64 of an IPv6 address, all of which one caller may use."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(ipaddress.IPv6Network((int(parsed) & ~(2**64 - 1), 64)))
