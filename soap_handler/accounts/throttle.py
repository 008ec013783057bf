"""The login throttle: slows guessers of passwords by a growing delay of each wrong answer. It checks no password.

What is counted is wrong credentials from one address for one account. Up to a budget they are answered at once. Beyond
it wrong answers are held back, longer and longer, and leave one after the other, over however many connections they
were asked for. A slow check is then made once a second at most, of the pair that was presented most often: a caller
such as EMS presents the same pair again and again, a guesser always another one.

Nothing here ever stands in the way of credentials that the quick check finds right: they are recognised before this
module is asked. So a guesser who shares an address with EMS, such as a proxy's, cannot lock EMS out.
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
_QUEUED_ANSWERS: Final = 10  # longest delays that wrong answers may queue up to; beyond it they leave together
_KEPT_PAIRS: Final = 32_768  # about five megabytes
_LEAST_PRESENTED: Final = 2  # times that a pair is presented before it is checked, beyond the budget


@dataclass(slots=True)
class _Record:
    failures: int = 0
    failed_at: float = 0.0
    checked_at: float = float("-inf")
    answered_at: float = 0.0
    """When the last of its wrong answers leaves."""
    most_presented: int = 0
    """How often the pair was presented that was presented most often, of those beyond the budget."""


class Throttle:
    """Counts wrong credentials by a key, of which it keeps the 10,000 that were used last. Thread-safe.

    Each verb takes ``times``: for how many budgets the key is good, such as an address that calls for many accounts.
    """

    def __init__(self, budget: int, longest: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``budget`` wrong ones are answered at once, later ones are held back for ``longest`` seconds at most."""
        self._budget = budget
        self._longest = longest
        self._clock = clock
        self._records: OrderedDict[Hashable, _Record] = OrderedDict()
        self._presented: OrderedDict[tuple[Hashable, bytes], int] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._records)

    def may_check(self, key: Hashable, pair: bytes, times: int = 1) -> bool:
        """Whether a slow check of this pair may be made: always within the budget, and beyond it once a second.

        In the first second after that check is free only the most frequent pair may use it, then any that came twice.
        """
        now = self._clock()
        with self._lock:
            record = self._records.get(key)
            if record is None or not self._is_over(record, now, times):
                return True
            presented = self._count(key, pair)
            record.most_presented = max(record.most_presented, presented)
            rested = now - record.checked_at
            first_call = record.most_presented if rested < 2 * _CHECK_SECONDS else 0
            if rested < _CHECK_SECONDS or presented < max(first_call, _LEAST_PRESENTED):
                return False
            record.checked_at, record.most_presented = now, 0  # this pair is known from now on
            del self._presented[key, pair]
            return True

    def failed(self, key: Hashable, times: int = 1) -> float | None:
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
            over = record.failures - self._budget * times
            if over <= 0:
                return None
            step = min(self._longest, _DELAY_BACKOFF.longest(over))
            queue_end = now + max(step, _QUEUED_ANSWERS * self._longest)
            record.answered_at = min(max(now, record.answered_at) + step, queue_end)
            return record.answered_at - now

    def _is_over(self, record: _Record, now: float, times: int) -> bool:
        return record.failures >= self._budget * times and now - record.failed_at <= _FORGET_SECONDS

    def _count(self, key: Hashable, pair: bytes) -> int:
        presented = self._presented.get((key, pair), 0) + 1
        self._presented[key, pair] = presented
        self._presented.move_to_end((key, pair))
        while len(self._presented) > _KEPT_PAIRS:
            self._presented.popitem(last=False)
        return presented


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
