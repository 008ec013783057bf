"""When to try again: pure arithmetic. What is tried, and who gives up when, is decided elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

_MOST_DOUBLINGS: Final = 1000  # 2.0**1000 is still a float; any sensible cap is reached long before
_LONGEST: Final = 10**9  # seconds; timedelta holds it


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with a cap and full jitter. Both values are in seconds.

    Full jitter means that a delay is drawn evenly from nothing to the whole exponential value. What failed together
    (a hundred deletes, ten workers) would otherwise come back together, again and again, and hit a service that is
    just getting up in one wave; spread over the whole span, the load on it is the least and the most even.
    """

    first: float
    """The longest first delay."""
    cap: float
    """The longest delay of all."""

    def __post_init__(self) -> None:
        if not (0 < self.first <= _LONGEST and 0 < self.cap <= _LONGEST):
            raise ValueError(f"first and cap must be more than 0 and at most {_LONGEST} s: {self.first}, {self.cap}")

    def longest(self, failures: int) -> float:
        """Return the longest delay (seconds) after so many failures in a row; the first failure is number 1."""
        doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
        return min(self.cap, self.first * 2.0**doublings)

    def delay(self, failures: int, rng: random.Random) -> timedelta:
        """Return how long to wait after so many failures in a row, this one included."""
        return timedelta(seconds=rng.uniform(0, self.longest(failures)))
