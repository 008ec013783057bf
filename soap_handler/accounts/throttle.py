"""The login throttle: slows guessers of passwords by a growing delay of each wrong answer. It checks no password.

What is counted is wrong credentials from one address for one account. Up to a budget they are answered at once. Beyond
it each wrong answer is held back, longer and longer, and a slow check is made once a second at most.

Nothing here ever stands in the way of the right credentials: they are recognised before this module is asked. So a
guesser who shares an address with EMS, such as a proxy's, cannot lock EMS out.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from soap_handler.retry import LONGEST_SECONDS, Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_KEPT_KEYS: Final = 10_000  # about two megabytes
_DELAY_BACKOFF: Final = Backoff(first=0.5, cap=LONGEST_SECONDS)  # of answers beyond the budget; a setting is the cap
_FORGET_SECONDS: Final = 900.0  # without a wrong one, after which all is forgiven
_CHECK_SECONDS: Final = 1.0  # between two slow checks beyond the budget
_CACHED_ADDRESSES: Final = 1024


@dataclass(slots=True)
class _Record:
    failures: int = 0
    failed_at: float = 0.0
    checked_at: float = float("-inf")


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
        """Whether a slow check may be made: always within the budget, and beyond it once a second."""
        now = self._clock()
        with self._lock:
            record = self._records.get(key)
            if record is None or record.failures < self._budget or now - record.failed_at > _FORGET_SECONDS:
                return True
            if now - record.checked_at < _CHECK_SECONDS:
                return False
            record.checked_at = now
            return True

    def failed(self, key: Hashable) -> float | None:
        """Count a wrong one; return for how long (seconds) its answer is to be held back, or ``None`` in the budget."""
        now = self._clock()
        with self._lock:
            record = self._records.setdefault(key, _Record())
            self._records.move_to_end(key)
            if now - record.failed_at > _FORGET_SECONDS:
                record.failures = 0
            record.failures += 1
            record.failed_at = now
            while len(self._records) > _KEPT_KEYS:
                self._records.popitem(last=False)
            over = record.failures - self._budget
        return None if over <= 0 else min(self._longest, _DELAY_BACKOFF.longest(over))


@lru_cache(maxsize=_CACHED_ADDRESSES)  # a few callers call again and again
def client_network(address: str) -> str:
    """Return what counts as one address: itself, or the /64 of an IPv6 address, all of which one caller may use."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(ipaddress.IPv6Network((int(parsed) & ~(2**64 - 1), 64)))
