"""When to try again: exponential back-off, and giving up after the last attempt. Pure arithmetic, without a clock.

Every back-off of the service is one of these values. What is tried, and what counts as a failure, is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil, log2
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from datetime import datetime

_MAX_DOUBLINGS: Final = 1000  # at most; 2.0**1000 is still a float, and any sensible cap is reached long before
LONGEST_SECONDS: Final = 10**9
"""The longest delay that can be asked for, in seconds; a timedelta holds it."""


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
        if not (0 < self.first <= LONGEST_SECONDS and 0 < self.cap <= LONGEST_SECONDS):
            raise ValueError(
                f"first and cap must be more than 0 and at most {LONGEST_SECONDS} s: {self.first}, {self.cap}"
            )

    def longest(self, failures: int) -> float:
        """Return the longest delay (seconds) after so many failures in a row; the first failure is number 1.

        It is also the delay where jitter serves nothing: a single caller, or one whose delays are announced.
        """
        doublings = min(max(failures - 1, 0), _MAX_DOUBLINGS)
        return min(self.cap, self.first * 2.0**doublings)

    def mean_of_all(self, failures: int) -> float:
        """Return how long (seconds) the delays after so many failures take together, on average."""
        growing = min(failures, _MAX_DOUBLINGS, max(0, ceil(log2(self.cap) - log2(self.first))))
        return (self.first * (2.0**growing - 1) + self.cap * (failures - growing)) / 2

    def delay(self, failures: int, rng: random.Random) -> timedelta:
        """Return how long to wait after so many failures in a row, this one included."""
        return timedelta(seconds=rng.uniform(0, self.longest(failures)))


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A back-off with an end: attempts until one succeeds, the last one has failed, or they have taken long enough.

    How long they take is reckoned by their number and mean delay, not by a clock: no step of a clock, and no outage of
    our own, shortens it.
    """

    backoff: Backoff
    max_attempts: int | None = None
    """``None``: as many as the time allows."""
    give_up_after: float | None = None
    """Seconds of trying after which it is given up; ``None``: as many attempts as are allowed."""

    def is_over(self, attempts: int) -> bool:
        """Whether there is no attempt left after so many."""
        if self.max_attempts is not None and attempts >= self.max_attempts:
            return True
        return self.give_up_after is not None and self.backoff.mean_of_all(attempts) >= self.give_up_after

    def next_at(self, attempts: int, now: datetime, rng: random.Random) -> datetime | None:
        """Return when the next attempt is due after so many have failed, or ``None``: give up."""
        return None if self.is_over(attempts) else now + self.backoff.delay(attempts, rng)


FAILED_ROUND: Final = Backoff(first=0.2, cap=5.0)
"""The back-off of a background loop whose round failed, most often because the journal is out of reach."""
