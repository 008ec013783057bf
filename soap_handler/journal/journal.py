"""The journal's verbs for the rest of the house: record, claim, settle, look. The SQL of each is in a file of its own.

Read on in this order: records, schema, insert, claim, order, settle, transaction, group_commit.
"""

from __future__ import annotations

import itertools
import os
import secrets
import socket
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import timedelta
from typing import TYPE_CHECKING, Self, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from soap_handler import clock as wall_clock
from soap_handler.errors import JournalUnavailableError, SchemaError
from soap_handler.journal import insert, purge, queries, reconciliations
from soap_handler.journal.announcer import Announcer
from soap_handler.journal.claim import ClaimRequest, claim
from soap_handler.journal.database_errors import reason
from soap_handler.journal.engine import open_engine
from soap_handler.journal.erasure import erase
from soap_handler.journal.erasure import sqlite_file as wipe
from soap_handler.journal.execute import PLAIN
from soap_handler.journal.group_commit import GroupCommit
from soap_handler.journal.migrate import migrate
from soap_handler.journal.proof import prove_writable
from soap_handler.journal.records import Settlement, State, Step
from soap_handler.journal.settle import release, requeue_dead, settle
from soap_handler.journal.sqlite import READ_ONLY
from soap_handler.journal.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from sqlalchemy import Connection

    from soap_handler.journal.erasure.erase import Erasure, ErasureRequest
    from soap_handler.journal.erasure.phone_number import Trace
    from soap_handler.journal.erasure.sqlite_file import Wiped
    from soap_handler.journal.execute import Executor
    from soap_handler.journal.group_commit import Committer, CommitterFactory
    from soap_handler.journal.purge import Cleared
    from soap_handler.journal.reconciliations import Beginning, Known, Reconciliation, Tally
    from soap_handler.journal.records import Attempt, Claim, Entry, Record, Selection
    from soap_handler.notifications import Kind

T = TypeVar("T")


class Journal:
    """A durable record and queue of notifications. Thread-safe. The part that opens it closes it.

    Every verb that writes returns only after its commit. It raises :class:`JournalUnavailableError` when there was
    none: then nothing of it was stored, as far as can be known, and it may be tried again.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 10.0,
        clock: Callable[[], datetime] = wall_clock.now,
        note_arrivals: Callable[[int], None] = lambda _: None,
        committer: CommitterFactory = GroupCommit,
        execute: Executor = PLAIN,
        may_create: bool = True,
    ) -> None:
        """Open the journal at a SQLAlchemy URL and bring its tables up to date; make it, where it ``may_create`` one.

        ``timeout`` is how long (seconds) a verb waits for its commit. ``note_arrivals`` is told how many entries come
        in, before they are committed: load shedding knows a burst by it. ``committer`` and ``execute`` are the two
        seams for speed, plain by default.

        Raises:
            JournalUnavailableError: the database cannot be opened, or has no journal and none may be made.
            SchemaError: its tables are of a newer release.
        """
        self._engine = open_engine(url, execute)
        self._timeout = timeout
        self._note_arrivals = note_arrivals
        self._clock = clock
        self._instance = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._leases = itertools.count(1)
        try:
            migrate(self._engine, may_create=may_create)
        except SQLAlchemyError as error:
            self._engine.dispose()
            raise JournalUnavailableError(f"the journal cannot be opened: {reason(error)}") from error
        except (SchemaError, JournalUnavailableError):
            self._engine.dispose()
            raise
        self._announcer = Announcer(self._engine, self._instance, makes_no_work=claim)
        # Settle before claim: a row settled in this transaction has no lease any more. A claim that ran first would
        # still see the old state.
        self.committer: Committer = committer(self._engine, self._announcer, last=claim)
        """The seam through which this journal writes."""

    def close(self) -> None:
        """Commit what is queued and give everything back."""
        self.committer.close()
        self._announcer.close()
        self._engine.dispose()

    def prove_writable(self) -> str:
        """Write to each table in a transaction that is rolled back; return as whom.

        Raises:
            JournalUnavailableError: that is refused; the text says what is missing.
        """
        return prove_writable(self._engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- receiving ---------------------------------------------------------------------------------------------------

    def submit(self, entry: Entry) -> Future[bool]:
        """Queue an entry for the next commit; the result is true when it was new, false for a duplicate."""
        self._note_arrivals(1)
        return self.committer.submit(insert.record, entry)

    def submit_all(self, entries: Sequence[Entry]) -> Future[list[bool]]:
        """Queue entries for the next commit, all in one; the results are as those of :meth:`submit`.

        Where :attr:`commits_inline`, some dozens are likely to be committed when this returns.
        """
        self._note_arrivals(len(entries))
        return self.committer.submit(insert.record_all, entries)

    @property
    def commits_inline(self) -> bool:
        """Whether :meth:`submit_all` of some dozens is likely to commit in the caller's thread before it returns."""
        return self.committer.commits_inline

    def record(self, entry: Entry) -> bool:
        """Commit an entry; return whether it was new."""
        return self.wait(self.submit(entry))

    def wait(self, commit: Future[T]) -> T:
        """Wait for the commit that a future stands for, no longer than the journal's timeout."""
        try:
            return commit.result(self._timeout)
        except FutureTimeoutError as error:
            commit.cancel()
            raise JournalUnavailableError(f"the journal did not commit within {self._timeout:g} s") from error

    # -- the queue ---------------------------------------------------------------------------------------------------

    def claim(self, limit: int, lease: timedelta, *, in_order: bool = False) -> list[Claim]:
        """Lease up to ``limit`` notifications whose handler is due.

        ``in_order``: of one originator on one account only the first, and none while another one is leased. Where very
        many wait behind others, one call may find less than there is; the next one goes on from there.
        """
        return self._claim(Step.HANDLE, limit, lease, in_order=in_order)

    def claim_deletions(self, account: str, limit: int, lease: timedelta = timedelta(minutes=5)) -> list[Claim]:
        """Lease up to ``limit`` handled messages of one account whose inbox delete is due."""
        return self._claim(Step.DELETE, limit, lease, account)

    def _claim(
        self, step: Step, limit: int, lease: timedelta, account: str | None = None, *, in_order: bool = False
    ) -> list[Claim]:
        moment = self._clock()
        owner = f"{self._instance}:{next(self._leases)}"  # of this claim alone, so that a late settling is noticed
        request = ClaimRequest(step, owner, moment, moment + lease, limit, account, in_order)
        return self.committer.submit(claim, request).result()

    def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        """Write down how attempts ended; the answers say whose lease had been lost meanwhile (false)."""
        return self.submit_settlements(settlements).result()

    def submit_settlements(self, settlements: Sequence[Settlement]) -> Future[list[bool]]:
        """Queue settlements for the next commit, all in one; the results are as those of :meth:`settle`."""
        return self.committer.submit(settle, settlements)

    def settle_deleted(self, claims: Sequence[Claim]) -> None:
        """Note that EMS confirmed the deletes: these notifications are done."""
        moment = self._clock()
        self.settle([Settlement(claim, Step.DELETE, State.DONE, None, claim.leased_at, moment) for claim in claims])

    def settle_delete_failed(self, claims: Sequence[Claim], error: str, retry_at: datetime) -> None:
        """Note that the deletes failed, and are due again at ``retry_at``."""
        moment = self._clock()
        state = State.HANDLED
        self.settle(
            [Settlement(claim, Step.DELETE, state, retry_at, claim.leased_at, moment, error) for claim in claims]
        )

    def release(self, claims: Sequence[Claim], step: Step = Step.DELETE) -> None:
        """Give back leases on work that was not begun."""
        self.committer.submit(release, (step, self._clock(), claims)).result()

    def retry(self, selection: Selection) -> int:
        """Send the dead notifications of a selection round again; return how many there were."""
        return self.committer.submit(requeue_dead, (selection, self._clock())).result()

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

    # -- the inbox against the journal -------------------------------------------------------------------------------

    def record_all(self, entries: Sequence[Entry]) -> list[bool]:
        """Commit entries together; say of each whether it was new."""
        return self.wait(self.submit_all(entries))

    def known(self, keys: Sequence[str]) -> dict[str, Known]:
        """Return what is known of those of the keys that are in the journal."""
        return self._read(lambda connection: reconciliations.known(connection, keys))

    def delete_again(self, keys: Sequence[str], done_before: datetime) -> int:
        """Have those of the keys deleted once more that were done before an instant; return how many there were."""
        return self.wait(self.committer.submit(reconciliations.delete_again, (keys, done_before, self._clock())))

    def begin_reconciliation(self, beginning: Beginning) -> int | None:
        """Write down that a run begins, and return its number; ``None`` where another one makes it needless."""
        return self.wait(self.committer.submit(reconciliations.begin, beginning))

    def end_reconciliation(self, number: int, tally: Tally, error: str | None) -> None:
        """Write down how a run ended."""
        self.wait(
            self.committer.submit(reconciliations.end, reconciliations.Ending(number, self._clock(), tally, error))
        )

    def reconciliations(self, account: str | None = None, limit: int | None = None) -> list[Reconciliation]:
        """Return the records of the runs, latest first."""
        return self._read(lambda connection: reconciliations.runs(connection, account, limit))

    # -- what does not stay -------------------------------------------------------------------------------------------

    def purge(self, before: datetime, after: int = 0) -> Cleared:
        """Take one step through the journal, behind row ``after``: delete what was done before an instant."""
        return self.wait(self.committer.submit(purge.purge, purge.Cut(before, after)))

    def purge_reconciliations(self, before: datetime) -> int:
        """Delete the records of reconciliations that began before an instant; return how many there were."""
        return self.wait(self.committer.submit(purge.purge_runs, before))

    def erase(self, trace: Trace, account: str | None = None, inboxes: Collection[str] = ()) -> Erasure:
        """Remove every trace of a phone number, in one account or in all; return how much there was.

        ``inboxes`` are the accounts from whose EMS inbox messages are deleted; what waits there is not handled any
        more, but still deleted.
        """
        wanted = self._erasure(trace, account, inboxes)
        found = self._read(lambda connection: list(erase.find(connection, wanted)))
        return sum((self.wait(self.committer.submit(erase.erase, batch)) for batch in found), erase.Erasure())

    def rehearse_erasure(self, trace: Trace, account: str | None = None) -> Erasure:
        """Count what :meth:`erase` would remove, and write nothing."""
        wanted = self._erasure(trace, account, ())
        return self._read(lambda connection: erase.rehearse(connection, wanted))

    def _erasure(self, trace: Trace, account: str | None, inboxes: Collection[str]) -> ErasureRequest:
        return erase.ErasureRequest(trace, self._clock(), account, frozenset(inboxes))

    def wipe(self, trace: Trace) -> Wiped:
        """Remove what is left of an erased number in the journal's files, where that can be done."""
        return wipe.wipe(self._engine, trace.digits)

    # -- reading -----------------------------------------------------------------------------------------------------

    def next_handling(self) -> datetime | None:
        """Return when the next handler is due, or ``None`` when there is nothing to handle."""
        return self._read(queries.next_handling)

    def next_deletion(self, account: str) -> datetime | None:
        """Return when the next delete of an account is due, or ``None`` when there is nothing to delete."""
        return self._read(lambda connection: queries.next_deletion(connection, account))

    def counts(self) -> dict[tuple[Kind, State], int]:
        """Return how many notifications there are of each kind in each state."""
        return self._read(queries.counts)

    def records(self, selection: Selection, limit: int | None = None, offset: int = 0) -> list[Record]:
        """Return the records of a selection, latest first."""
        return self._read(lambda connection: queries.records(connection, selection, limit, offset))

    def history(self, seq: int) -> list[Attempt]:
        """Return the attempts at a notification, oldest first."""
        return self._read(lambda connection: queries.history(connection, seq))

    def attempts(self) -> Iterator[tuple[str, Attempt]]:
        """Return every attempt with the key of its notification, oldest first."""
        return iter(self._read(queries.attempts))

    def _read(self, query: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect().execution_options(**READ_ONLY) as connection:
                return query(connection)
        except SQLAlchemyError as error:
            raise JournalUnavailableError(f"the journal cannot be read: {reason(error)}") from error
