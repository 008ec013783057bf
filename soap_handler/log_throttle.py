"""The log throttle, a rate limit on warnings that a caller can cause at will, and outages, whose end is told too."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_KEPT_KEYS: Final = 10_000  # about two megabytes
_INTERVAL_SECONDS: Final = 60.0  # in which one key is logged once


class Outage:
    """An outage that begins with the first failure, so that the log can say after how long there was an end to it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()

    @property
    def seconds(self) -> float:
        """How long it has lasted, in tenths of a second."""
        return round(self._clock() - self._since, 1)


class LogThrottle:
    """Rate-limits log lines to one a minute for each key, and counts those that were left out.

    Thread-safe. Memory is bounded: the 10,000 keys that were logged last are kept; a key that was dropped is logged
    again at its next occurrence.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()  # when, and how many were left out since
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._logged)

    def due(self, key: Hashable) -> int:
        """Count one occurrence; return 0 to log nothing, or how many occurrences this line stands for."""
        now = self._clock()
        with self._lock:
            logged_at, left_out = self._logged.get(key, (float("-inf"), 0))
            if now - logged_at < _INTERVAL_SECONDS:
                self._logged[key] = (logged_at, left_out + 1)
                return 0
            self._logged[key] = (now, 0)
            self._logged.move_to_end(key)
            while len(self._logged) > _KEPT_KEYS:
                self._logged.popitem(last=False)
            return left_out + 1
