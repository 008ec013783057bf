"""Results on their way to disk: handed in again until a commit takes them. What a result means is not known here.

A handler that returned must not run again only because the journal was out of reach when it did.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from concurrent.futures import Future

    from soap_handler.journal.journal import Journal
    from soap_handler.journal.records import Claim, Settlement

log = structlog.get_logger(__name__)


class Settling:
    """The results of this process that are not on disk yet. Thread-safe; no call waits for the disk."""

    def __init__(self, journal: Journal) -> None:
        """Write to this journal, which somebody else closes."""
        self._journal = journal
        self._lock = threading.Lock()
        self._open: dict[int, Settlement] = {}  # by the row's number
        self._failed: list[Settlement] = []  # those of them whose commit failed

    def __len__(self) -> int:
        with self._lock:
            return len(self._open)

    def settle(self, settlement: Settlement) -> None:
        """Hand a result to the next commit."""
        with self._lock:
            self._open[settlement.claim.seq] = settlement
        self._submit(settlement)

    def again(self) -> None:
        """Hand in again what could not be committed."""
        with self._lock:
            failed = [result for result in self._failed if self._open.get(result.claim.seq) is result]
            self._failed.clear()
        for settlement in failed:
            self._submit(settlement)

    def adopt(self, claim: Claim) -> bool:
        """Settle a new claim with the result that its row is still waiting for; return whether there is one.

        The lease ran out while the journal was out of reach, and the row was claimed before the result got there.
        """
        with self._lock:
            result = self._open.get(claim.seq)
        if result is None:
            return False
        log.info("result_adopted", key=claim.key)
        self.settle(replace(result, claim=claim))
        return True

    def _submit(self, settlement: Settlement) -> None:
        self._journal.submit_settlements([settlement]).add_done_callback(lambda commit: self._ended(settlement, commit))

    def _ended(self, settlement: Settlement, commit: Future[list[bool]]) -> None:
        error = commit.exception()
        with self._lock:
            if self._open.get(settlement.claim.seq) is not settlement:
                return  # superseded by the same result under a newer lease
            if error is None:
                del self._open[settlement.claim.seq]
            else:
                self._failed.append(settlement)
        if error is not None:
            log.error("settling_failed", key=settlement.claim.key, error=type(error).__name__)
        elif commit.result() != [True]:
            log.warning("lease_lost", key=settlement.claim.key, step=settlement.step.value)
