"""Results of delete calls on their way to the journal. For the next call, see deleter.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from soap_handler.metrics.catalogue import DELETES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from soap_handler.journal import Claim, Journal


@dataclass(frozen=True, slots=True)
class _Failure:
    """Deletes that failed, and when they are due again."""

    claims: Sequence[Claim]
    reason: str
    retry_at: datetime


class DeleteResults:
    """A buffer of what the journal has yet to be told. It outlives a journal that is out of reach. For one thread.

    What is lost with the process is harmless: the leases run out, and a delete that is made again finds the message
    gone, which is a success.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._deleted: list[Claim] = []
        self._failed: list[_Failure] = []
        self._unused: list[Claim] = []

    @property
    def is_empty(self) -> bool:
        """Whether the journal knows everything."""
        return not (self._deleted or self._failed or self._unused)

    @property
    def deleted(self) -> int:
        """How many confirmed deletes the journal does not know yet."""
        return len(self._deleted)

    def add_deleted(self, claims: Sequence[Claim]) -> None:
        """Note deletes that EMS confirmed."""
        _count(claims, "deleted")
        self._deleted.extend(claims)

    def add_failed(self, claims: Sequence[Claim], reason: str, retry_at: datetime) -> None:
        """Note deletes that failed and are due again at ``retry_at``."""
        _count(claims, "failed")
        self._failed.append(_Failure(claims, reason, retry_at))

    def add_unused(self, claims: Sequence[Claim]) -> None:
        """Note claims for which no call was made."""
        self._unused.extend(claims)

    def settle(self) -> None:
        """Tell the journal. What it does not commit stays noted for the next time.

        Raises:
            JournalUnavailableError: it did not commit all of it.
        """
        if self._deleted:
            self._journal.settle_deleted(self._deleted)
            self._deleted = []
        while self._failed:
            failure = self._failed[0]
            self._journal.settle_delete_failed(failure.claims, failure.reason, failure.retry_at)
            del self._failed[0]
        if self._unused:
            self._journal.release(self._unused)
            self._unused = []


def _count(claims: Sequence[Claim], outcome: str) -> None:
    """Count deletes; those of one call are of one account."""
    if claims:
        DELETES.add(len(claims), claims[0].account, outcome)
