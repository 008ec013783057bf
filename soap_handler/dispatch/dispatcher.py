"""From the journal to the customer's code: claim loop, handler pool and results, built and drained together.

Read in this order: claim_loop (what is due), handler_pool (who runs it), run (one call), settlements (where it goes
from there), results (on its way to disk). Deleting from the EMS inbox is the inbox's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from soap_handler.dispatch.admission import Admission
from soap_handler.dispatch.claim_loop import POLL_SECONDS, ClaimLoop
from soap_handler.dispatch.handler_pool import HandlerPool
from soap_handler.dispatch.lease import LeaseTimes
from soap_handler.dispatch.results import Results
from soap_handler.dispatch.run import Runner
from soap_handler.dispatch.settlements import Settlements

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.dispatch.destination import Destination
    from soap_handler.journal import Journal

_DRAIN_POLL_SECONDS: Final = 0.1  # between two looks at what a drain still waits for
GATHER_SECONDS: Final = 0.02
"""That a result may wait for others while there is enough to do."""
_BURST_GATHER_SECONDS: Final = 0.1  # as long as a burst's claims are apart: results go with the next one


class Dispatcher:
    """Runs the handlers of one process: at least once for each notification, with retries, until handled or dead."""

    def __init__(
        self,
        journal: Journal,
        destination: Destination,
        needs_delete: Callable[[str], bool],
        *,
        in_order: bool = True,
        admission: Admission | None = None,
        stands_still: Callable[[], None] = lambda: None,
        runner: Callable[..., Runner] = Runner,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """``needs_delete`` says of an account, by its reference, whether its messages must leave an EMS inbox.

        ``in_order``: of one originator on one account, one after the other, across all who share the journal.
        Without an ``admission`` it takes all that it can handle. ``stands_still`` is called, again and again, while
        every handler thread hangs: only a new process helps then. ``runner`` makes what carries out runs.
        ``poll_seconds`` is the longest time between two looks at the journal that no commit asked for.
        """
        self.destination = destination
        """Where the notifications go; it is closed at the end."""
        self._admission = admission or Admission()
        lease = LeaseTimes(destination.timeout)
        settlements = Settlements(
            destination.retry, needs_delete, destination.refusals_allowed, queue_now=journal.queue_now
        )
        self.results = Results(journal, self._gathers_for)
        runs = runner(journal, destination, settlements, self.results, lease)
        most = 1 if destination.batches is None else destination.batches.most
        self.pool = HandlerPool(runs, destination.threads, lease, most)
        self._claims = ClaimLoop(
            journal,
            self.pool,
            runs,
            self.results,
            lease=lease,
            admission=self._admission,
            in_order=in_order,
            stands_still=stands_still,
            destination=destination,
            poll_seconds=poll_seconds,
        )

    def start(self) -> None:
        """Begin to claim and handle."""
        self.pool.start(self._claims.run_ended)
        self._claims.start()

    def claim_no_more(self) -> None:
        """Begin the drain."""
        self._claims.stop()

    def stop(self, timeout: float) -> bool:
        """Drain: claim no more, let running handlers finish for ``timeout`` seconds; return whether all was settled."""
        self.claim_no_more()
        deadline = time.monotonic() + timeout
        self.pool.give_back()
        while self.busy and (left := deadline - time.monotonic()) > 0:
            self.results.hand_in()
            self._claims.woken.wait(min(left, _DRAIN_POLL_SECONDS))
            self._claims.woken.clear()
            self.results.retry()
        self.pool.close()
        if not self.busy:
            self.destination.close()
        return not self.busy

    def _gathers_for(self, results: int) -> float:
        """Return for how many seconds so many results may wait: not at all where no others are to come.

        During a pause between two claims they wait for the next one, which shares its transaction with them.
        """
        if self._claims.stopping.is_set():
            return 0.0
        if self._admission.in_burst():
            return _BURST_GATHER_SECONDS
        waits = self._admission.pause > 0 or self.pool.has_quick_work_beside(results)
        return GATHER_SECONDS if waits else 0.0

    @property
    def busy(self) -> int:
        """How many handlers are running, wait for a thread, or have a result that is not yet on disk."""
        # In this order: a run leaves the pool only after its result was added.
        return self.pool.busy + len(self.results)

    @property
    def hanging(self) -> int:
        """How many handlers were given up and have not returned since."""
        return self.pool.hanging
