"""The verbs of the queue: what is due is claimed, begun, settled or given back. Their SQL is in files of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal.access import Access
from soap_handler.journal.claim import ClaimRequest, begin, claim
from soap_handler.journal.operator import releasing
from soap_handler.journal.operator.retrying import dead_in_parts, requeue_dead
from soap_handler.journal.records import Settlement, State, Step
from soap_handler.journal.settle import release, settle
from soap_handler.journal.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from soap_handler.journal.records import Claim, Selection
    from soap_handler.journal.scope import Scope


class QueueVerbs(Access):
    """The queue, as a part of the journal."""

    def claim(
        self,
        limit: int,
        lease: timedelta,
        *,
        in_order: bool = False,
        running: Collection[int] = (),
        suspects: int | None = None,
        scope: Scope | None = None,
    ) -> list[Claim]:
        """Lease up to ``limit`` notifications whose handler is due.

        ``in_order``: of one originator on one account only the first, and none while another one is leased. Where very
        many wait behind others, one call may find less than there is; the next one goes on from there.
        ``running``: the rows on which this process works. They are not claimed; their leases are prolonged.
        ``suspects``: how many may be among them whose last lease ran out without a result. ``scope``: of this part.
        """
        terms: dict[str, Any] = {"running": frozenset(running), "suspects": suspects, "scope": scope}
        return self._claim(Step.HANDLE, limit, lease, None, in_order=in_order, **terms)

    def claim_deletions(self, account: str, limit: int, lease: timedelta = timedelta(minutes=5)) -> list[Claim]:
        """Lease up to ``limit`` handled messages of one account whose inbox delete is due."""
        return self._claim(Step.DELETE, limit, lease, account)

    def _claim(self, step: Step, limit: int, lease: timedelta, account: str | None = None, **terms: Any) -> list[Claim]:  # noqa: ANN401 - fields of a ClaimRequest
        owner = f"{self._instance}:{next(self._leases)}"  # of this claim alone, so that a late settling is noticed
        claiming = self.committer.submit(claim, ClaimRequest(step, owner, self.now(), lease, limit, account, **terms))
        try:
            return self.wait(claiming)
        except JournalUnavailableError:
            claiming.add_done_callback(lambda late: self._give_back(step, late))
            raise

    def _give_back(self, step: Step, late: Future[list[Claim]]) -> None:
        """Release what was claimed after its caller had gone: it would wait for the lease to run out."""
        if not late.cancelled() and late.exception() is None and late.result():
            self.committer.submit(release, (step, timedelta(), late.result()))

    def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        """Write down how attempts ended; the answers say whose lease had been lost meanwhile (false)."""
        return self.wait(self.submit_settlements(settlements))

    def submit_settlements(self, settlements: Sequence[Settlement]) -> Future[list[bool]]:
        """Queue settlements for the next commit, all in one; the results are as those of :meth:`settle`."""
        return self.committer.submit(settle, settlements)

    def settle_deleted(self, claims: Sequence[Claim]) -> None:
        """Note that EMS confirmed the deletes: these notifications are done."""
        moment = self.now()
        self.settle([Settlement(claim, Step.DELETE, State.DONE, None, claim.leased_at, moment) for claim in claims])

    def settle_delete_failed(self, claims: Sequence[Claim], error: str, retry_at: datetime) -> None:
        """Note that the deletes failed, and are due again at ``retry_at``, by :meth:`queue_now`."""
        moment = self.now()
        state = State.HANDLED
        self.settle(
            [Settlement(claim, Step.DELETE, state, retry_at, claim.leased_at, moment, error) for claim in claims]
        )

    def begin(self, claim: Claim) -> bool:
        """Count the attempt of a claim before its handler is called; return false where the lease is lost."""
        return self.wait(self.committer.submit(begin, claim))

    def release(self, claims: Sequence[Claim], step: Step = Step.DELETE, pause: timedelta = timedelta()) -> None:
        """Give back leases on work that was not begun; it is due after a pause."""
        self.wait(self.committer.submit(release, (step, pause, claims)))

    def retry(self, selection: Selection) -> int:
        """Send the dead notifications of a selection round again; return how many there were. It may take long."""
        return sum(self.committer.submit(requeue_dead, seqs).result() for seqs in dead_in_parts(self.read, selection))

    def release_due(self, selection: Selection) -> int:
        """Make due at once what waits for a later time and is not being worked on; return how much there was."""
        parts = releasing.held_back_in_parts(self.read, selection, self.queue_now())
        return sum(self.committer.submit(releasing.release_due, seqs).result() for seqs in parts)

    def count_held_back(self, selection: Selection) -> int:
        """Return how much :meth:`release_due` would release."""
        now = self.queue_now()
        return self.read(lambda connection: releasing.count_held_back(connection, selection, now))

    def transaction(self, seconds: float) -> Transaction:
        """Return a transaction in which a handler writes and is settled, for ``seconds`` at most.

        Raises:
            JournalUnavailableError: the database is out of reach.
        """
        return Transaction(self._engine, seconds, self._announcer)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call this after each commit that may have made work; it must return at once.

        That is each commit of this process and, on PostgreSQL, of every other process that shares the database.
        """
        self._announcer.listen(listener)
