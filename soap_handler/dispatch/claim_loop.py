"""The claim loop: leases what is due and hands it to the handler pool. For how a run ends, see run.py."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.background import BackgroundLoop
from soap_handler.dispatch.horizon import Horizon
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Step
from soap_handler.log_throttle import LogThrottle
from soap_handler.retry import FAILED_ROUND

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.dispatch.admission import Admission
    from soap_handler.dispatch.destination import Destination
    from soap_handler.dispatch.handler_pool import HandlerPool
    from soap_handler.dispatch.lease import LeaseTimes
    from soap_handler.dispatch.results import Results
    from soap_handler.dispatch.run import Runner
    from soap_handler.journal import Journal

POLL_SECONDS: Final = 1.0
"""Between two looks at the journal that nothing woke us for: finds what other processes recorded."""
_PUT_OFF_AT_ONCE: Final = 500  # notifications that are put off by one commit
_RESULTS_PER_CLAIM: Final = 16  # that go with a claim, in one transaction; fewer may wait for others
_BURST_POLL_SECONDS: Final = 0.2  # between two looks at what other processes take in


class ClaimLoop(BackgroundLoop):
    """Claims from one thread for all handler threads, and watches over them and their results between two claims.

    A claim is a lease that outlasts ``handler.timeout``, so what a killed process had claimed comes back by itself.
    No more is claimed than the pool has room for.
    """

    def __init__(
        self,
        journal: Journal,
        pool: HandlerPool,
        runner: Runner,
        results: Results,
        *,
        lease: LeaseTimes,
        admission: Admission,
        in_order: bool,
        stands_still: Callable[[], None],
        destination: Destination,
        poll_seconds: float,
    ) -> None:
        """``in_order``: of one originator on one account, one at a time, across all who share the journal.

        ``poll_seconds`` is the longest time between two looks at the journal that no commit asked for.
        ``stands_still`` is called, again and again, while every handler thread hangs and none is replaced any more.
        """
        super().__init__("dispatch")
        self._journal = journal
        self._pool = pool
        self._runner = runner
        self._results = results
        self._lease = lease
        self._admission = admission
        self._in_order = in_order
        self._stands_still = stands_still
        self._scope = destination.scope
        self._horizon = Horizon(destination.scope)
        self._breaker = destination.breaker
        self._throttle = LogThrottle()
        self._lacks_room = True  # whether more could be claimed if a run ended
        self._has_rested = True  # whether nothing woke it before the present round
        self._expects_more = False  # whether the last claim took as much as it could
        self._poll_seconds = min(poll_seconds, lease.timeout / 4)

    def start(self) -> None:
        """Begin; each commit that may have made work wakes the loop."""
        self._journal.listen(self.wake)
        super().start()

    def run_ended(self) -> None:
        """Look again, where it was for lack of room that no more was claimed. Any thread may call it."""
        if self._lacks_room or self.stopping.is_set():
            self.wake()

    def round(self) -> float:
        """Look after the handlers that hang and the results that failed, then claim; return when to look again.

        Woken, it looks before it claims: a look holds up no writer, and most wakes are of commits that made nothing
        due. The claim after a rest proves besides that the journal can still be written.
        """
        self._look_after_runs()
        limit = self._room()
        wait = 0.0 if self._claims_without_a_look() else self._until_due()
        pauses = self._admission.in_burst() or self._admission.pause > 0
        self._results.hand_in(1 if pauses else _RESULTS_PER_CLAIM)
        if wait > 0:
            self._admission.give_back(limit)
        else:
            self._expects_more = self._claim(limit) if limit > 0 else self._put_off()
        self.stopping.wait(self._admission.pause)
        if wait > 0:
            self._results.hand_in()  # what came during the pause: no claim follows now that it could go with
        elif self._lacks_room and not (self._expects_more or self._admission.in_burst()):
            return self._until_due() or self._poll_seconds
        return wait

    def _room(self) -> int:
        """Return how many may be claimed now, and note whether a run that ends must wake the loop."""
        limit = self._limit()
        self._lacks_room = limit <= 0 or self._pool.has_suspect
        if not self._lacks_room:
            return limit
        self._admission.give_back(limit)
        return self._limit()  # again: a run that ended before that note woke nothing

    def _claims_without_a_look(self) -> bool:
        return self._expects_more or self._lacks_room or self._has_rested or self._admission.in_burst()

    def _look_after_runs(self) -> None:
        self._pool.give_up_hanging()
        if self._pool.stands_still:
            if self._throttle.due("dispatch_stands_still"):
                telemetry.emit("dispatch_stands_still", hanging=self._pool.hanging)
            self._stands_still()
        self._results.retry()

    def _limit(self) -> int:
        """Return how many may be claimed now."""
        wanted = self._pool.claims_wanted()
        if self._breaker is not None:  # first: what it forbids must use up no share of a burst
            wanted = self._breaker.allows(wanted, self._pool.busy)
        return self._admission.allows(wanted, self._pool.cost)

    def failed(self, error: Exception) -> float:
        """Log the failure and back off. A lease that was taken before it runs out by itself."""
        seconds = FAILED_ROUND.longest(self.failures)
        if isinstance(error, JournalUnavailableError):
            telemetry.emit("dispatch_waits_for_journal", reason=str(error), seconds=seconds)
        else:
            telemetry.emit("dispatch_broke", seconds=seconds, exc_info=error)
        return seconds

    def rest(self, seconds: float) -> None:
        """Wait for so long, until woken, or until a burst begins at another process that shares the port."""
        deadline = time.monotonic() + seconds
        self._has_rested = False
        while (left := deadline - time.monotonic()) > 0 and not self.woken.wait(min(left, _BURST_POLL_SECONDS)):
            if self._admission.in_burst():
                return
            self._results.hand_in(_RESULTS_PER_CLAIM)
        self._has_rested = seconds > 0 and not self.woken.is_set()

    def _claim(self, limit: int) -> bool:
        """Claim what there is room for; return whether there may be more to do at once."""
        asked, began = time.monotonic(), self._journal.queue_now()
        lease = timedelta(seconds=self._lease.seconds)
        claims = self._journal.claim(
            limit,
            lease,
            in_order=self._in_order,
            suspects=0 if self._pool.has_suspect else 1,
            running=self._pool.claimed(),
            scope=self._horizon.scope,
        )
        self._admission.give_back(limit - len(claims))
        if time.monotonic() - asked > self._lease.margin:
            telemetry.emit("claim_took_too_long", notifications=len(claims))
            self._journal.release(claims, Step.HANDLE)
            return True
        if len(claims) == limit and not (self._pool.has_suspect or any(claim.is_suspect for claim in claims)):
            self._horizon.found(min(claim.due_at for claim in claims), began)
        self._pool.put([claim for claim in claims if not self._runner.settle_uncalled(claim)])
        return len(claims) == limit or any(claim.is_suspect for claim in claims)

    def _put_off(self) -> bool:
        """While the breaker is open, have what is due wait until then: other destinations do not search through it.

        Not in a burst: two writes for each arrival would be taken from receiving.
        """
        pause = 0.0 if self._breaker is None else self._breaker.open_for()
        if pause <= 0 or self._pool.busy or self._admission.in_burst():
            return False
        claims = self._journal.claim(_PUT_OFF_AT_ONCE, timedelta(seconds=self._lease.seconds), scope=self._scope)
        self._journal.release(claims, Step.HANDLE, timedelta(seconds=pause))
        return len(claims) == _PUT_OFF_AT_ONCE

    def _until_due(self) -> float:
        """Return for how many seconds there is nothing to claim, as far as the journal knows."""
        if self._pool.claims_wanted() <= 0 or self._pool.has_suspect:  # the other suspects are due, and wait for it
            return self._poll_seconds
        now = self._journal.queue_now()
        due = self._journal.next_handling(self._horizon.scope)
        self._horizon.found(due, now)
        if due is None:
            return self._poll_seconds
        return max(0.0, min(self._poll_seconds, (due - self._journal.queue_now()).total_seconds()))
