"""Results on their way to disk: handed in again until a commit takes them. For their meaning, see settlements.py.

A handler that returned must not run again only because the journal was out of reach when it did.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from soap_handler.journal import Claim, Journal, Settlement

_RESULTS_PER_REQUEST: Final = 64  # a larger one would hold up the pushes that share its transaction

_GATHERED_AT_MOST: Final = 64  # that wait for more; a crash has them delivered again, with those being committed


class Results:
    """Write coalescing for the results of this process that are not on disk yet. Thread-safe; no call waits for disk.

    While results are being committed, those that come meanwhile gather and go together; a lone one waits for no other.
    Where more are sure to come, the first may wait for them: with one transaction for each result, threads that deliver
    and the one that commits would take turns at the disk and at Python's lock. The trade-off: what waits is delivered
    again if the process dies.
    """

    def __init__(self, journal: Journal, gathers_for: Callable[[int], float] = lambda _: 0.0) -> None:
        """Write to this journal, which this class does not close.

        ``gathers_for`` says for how many seconds so many results of runs that have just ended may wait for others;
        :meth:`hand_in` is called meanwhile.
        """
        self._journal = journal
        self._gathers_for = gathers_for
        self._lock = threading.Lock()
        self._open: dict[int, Settlement] = {}  # not on disk yet, by the row's number
        self._gathered: list[Settlement] = []  # those of them that wait until others are committed, or for others
        self._gathered_since = 0.0  # on the monotonic clock
        self._failed: list[Settlement] = []  # those of them whose commit failed
        self._committing = 0  # requests that the journal has not answered yet

    def __len__(self) -> int:
        with self._lock:
            return len(self._open)

    @property
    def failed(self) -> int:
        """How many results the journal did not take; :meth:`retry` hands them in again."""
        with self._lock:
            return len(self._failed)

    def add(self, *settlements: Settlement) -> None:
        """Hand the results of one call to the next commit."""
        now = time.monotonic()
        seconds = 0.0 if self._committing else self._gathers_for(len(settlements))  # those wait for the commit anyway
        with self._lock:
            for settlement in settlements:
                self._open[settlement.claim.seq] = settlement
            if not self._gathered:
                self._gathered_since = now
            self._gathered += settlements
            if self._committing or self._waits(now, seconds):
                return
            requests = self._next_requests()
        self._commit(requests)

    def hand_in(self, least: int = 1) -> None:
        """Have what gathered wait no longer, if it is so much or has waited for long enough."""
        if not self._gathered:
            return
        now, seconds = time.monotonic(), self._gathers_for(1)
        with self._lock:
            waits = len(self._gathered) < least and self._waits(now, seconds)
            requests = [] if self._committing or waits else self._next_requests()
        self._commit(requests)

    def retry(self) -> None:
        """Hand in again what could not be committed: each alone, since one of them may be at fault."""
        if not self._failed:
            return
        with self._lock:
            failed, self._failed = self._still_open(self._failed), []
        for settlement in failed:
            self._submit([settlement])

    def adopt(self, claim: Claim) -> bool:
        """Settle a new claim with the result that its row is still waiting for; return whether there is one.

        The lease ran out while the journal was out of reach, and the row was claimed before the result got there.
        """
        with self._lock:
            result = self._open.get(claim.seq)
        if result is None or result.claim.key != claim.key:  # the number is another row's in a restored journal
            return False
        telemetry.emit("result_adopted", key=claim.key)
        # It is the result of an attempt that may be counted already.
        attempts = max(result.claim.attempts, claim.attempts - 1)
        self.add(result._replace(claim=claim._replace(attempts=attempts)))
        return True

    def _waits(self, now: float, seconds: float) -> bool:
        """Whether what gathered may wait for more. The caller holds the lock."""
        return len(self._gathered) < _GATHERED_AT_MOST and now - self._gathered_since < seconds

    def _next_requests(self) -> list[list[Settlement]]:
        """Return what goes to disk next, in several requests. The caller holds the lock, and none is under way."""
        gathered, self._gathered = self._still_open(self._gathered), []
        requests = [
            gathered[begin : begin + _RESULTS_PER_REQUEST] for begin in range(0, len(gathered), _RESULTS_PER_REQUEST)
        ]
        self._committing = len(requests)
        return requests

    def _still_open(self, settlements: Sequence[Settlement]) -> list[Settlement]:
        """Return those that are not superseded by the same result under a newer lease."""
        return [result for result in settlements if self._open.get(result.claim.seq) is result]

    def _commit(self, requests: list[list[Settlement]]) -> None:
        for settlements in requests:
            self._submit(settlements).add_done_callback(lambda _: self._request_ended())

    def _request_ended(self) -> None:
        now, seconds = time.monotonic(), self._gathers_for(1)
        with self._lock:
            self._committing -= 1
            requests = [] if self._committing or self._waits(now, seconds) else self._next_requests()
        self._commit(requests)

    def _submit(self, settlements: list[Settlement]) -> Future[list[bool]]:
        commit = self._journal.submit_settlements(settlements)
        commit.add_done_callback(lambda ended: self._note(settlements, ended))  # not `commit`: that would be a cycle
        return commit

    def _note(self, settlements: list[Settlement], commit: Future[list[bool]]) -> None:
        """Take down how a commit ended."""
        error = commit.exception()
        with self._lock:
            concerned = self._still_open(settlements)
            if error is None:
                for settlement in concerned:
                    del self._open[settlement.claim.seq]
            else:
                self._failed += concerned
        if error is not None:
            for settlement in concerned:
                telemetry.emit("settling_failed", key=settlement.claim.key, error=type(error).__name__)
            return
        for settlement, ours in zip(settlements, commit.result(), strict=True):
            if not ours and settlement in concerned:
                telemetry.emit("lease_lost", key=settlement.claim.key, step=settlement.step.value)
