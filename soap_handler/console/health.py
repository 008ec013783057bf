"""Health: whether the process lives, and whether the service is ready, with the reasons why it is not."""

from __future__ import annotations

import threading
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal.databases.heartbeat import beat
from soap_handler.metrics.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.journal import Journal
    from soap_handler.metrics.status import Statuses

KEPT_SECONDS: Final = 5.0
"""For so long the result of a commit answers further probes."""
DEADLINE_SECONDS: Final = 5.0
"""A commit that takes longer is a reason not to be ready."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the service is ready, with a sentence for each reason why it is not."""

    reasons: tuple[str, ...]

    @property
    def is_ready(self) -> bool:
        """Whether nothing speaks against sending it pushes."""
        return not self.reasons


class CommitProbe:
    """Commits to the journal when asked, at most once in :data:`KEPT_SECONDS`. Thread-safe.

    A commit that is late is waited for by no second probe: what is asked meanwhile is told that it is late.
    """

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.monotonic) -> None:
        self._journal = journal
        self._clock = clock
        self._lock = threading.Lock()
        self._problem: str | None = None
        self._until = float("-inf")

    def problem(self) -> str | None:
        """Return why the journal does not commit; ``None`` where it does."""
        if self._clock() < self._until:
            return self._problem
        if not self._lock.acquire(timeout=DEADLINE_SECONDS):
            return _late()
        try:
            if self._clock() >= self._until:
                self._problem = self._commit()
                self._until = self._clock() + KEPT_SECONDS
        finally:
            self._lock.release()
        return self._problem

    def _commit(self) -> str | None:
        commit = self._journal.committer.submit(beat, None)
        try:
            commit.result(DEADLINE_SECONDS)
        except FutureTimeoutError:
            commit.cancel()
            return _late()
        except JournalUnavailableError as error:
            return f"the journal does not commit: {error}"
        return None


class Health:
    """Answers the probes of a service. Thread-safe."""

    def __init__(self, journal: Journal, statuses: Statuses) -> None:
        """``statuses`` are those of the worker processes."""
        self._probe = CommitProbe(journal)
        self._statuses = statuses

    def readiness(self) -> Readiness:
        """Return whether a push would be taken now: a worker listens, and the journal commits."""
        if self._statuses.count(Status.SERVING) == 0:
            draining = self._statuses.count(Status.DRAINING)
            return Readiness(("the service drains",) if draining else ("no worker listens yet",))
        problem = self._probe.problem()
        return Readiness(() if problem is None else (problem,))


def _late() -> str:
    return f"the journal did not commit within {DEADLINE_SECONDS:g} s"
