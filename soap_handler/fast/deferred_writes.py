"""Requests that can wait a moment, and ride with a transaction that others need at once. What they ask is unknown here.

In a burst a transaction follows the other every few milliseconds, and each costs an fsync and the lock that every
writer needs. A claim or a settlement in one of its own would hold up those who wait for an answer; in one of theirs it
costs little. Where nothing is sure to come in a moment, nobody rides.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MOMENT: Final = 0.01
"""How long (seconds) one waits for a ride, at most."""


class Riders(Generic[T]):
    """Those who wait for a ride. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: deque[tuple[T, int]] = deque()
        self._boarding = threading.Lock()
        self._latest = self._one_before = -math.inf

    def note_ride(self) -> None:
        """Take note of a request that cannot wait: its transaction is a ride for others."""
        self._one_before, self._latest = self._latest, self._clock()

    @property
    def have_rides(self) -> bool:
        """Whether the next ride is sure to come in a moment: the last two did."""
        return self._clock() - self._latest < MOMENT and self._latest - self._one_before < MOMENT

    def add(self, request: T, rows: int) -> bool:
        """Have a request that concerns so many rows wait; return whether it is alone.

        Then somebody must be told to look after those who wait, should no ride come.
        """
        with self._boarding:
            self._waiting.append((request, rows))
            return len(self._waiting) == 1

    def take(self, rows: float = math.inf) -> list[T]:
        """Return those who wait, as long as they concern no more than so many rows together; the others go on."""
        taken: list[T] = []
        if not self._waiting:  # as nearly always: not worth the lock, since whoever comes now is alone
            return taken
        with self._boarding:
            while self._waiting and self._waiting[0][1] <= rows:
                request, needed = self._waiting.popleft()
                rows -= needed
                taken.append(request)
        return taken
