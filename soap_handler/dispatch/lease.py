"""The lease of a claim in numbers: how long it lasts, and until when a handler may still begin under it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from soap_handler.journal import Claim


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """A lease outlasts the handler's timeout by a margin: for claiming, for noticing a hanging handler, for settling.

    A claim that has used up the margin before its handler begins is stale. It is given back: the rest of its lease
    might not last, and another process would run the handler at the same time.
    """

    timeout: float
    """Seconds that a handler may take (``handler.timeout``)."""

    @property
    def margin(self) -> float:
        """Seconds of a lease that may pass before the handler begins."""
        return self.timeout / 2 + 1

    @property
    def seconds(self) -> float:
        """Seconds that a claim is leased for."""
        return self.timeout + self.margin

    def is_stale(self, claim: Claim) -> bool:
        """Whether too much of a claim's lease has passed to begin its handler."""
        return time.monotonic() - claim.claimed_at > self.margin
