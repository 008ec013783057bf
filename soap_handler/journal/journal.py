"""The journal's verbs for the rest of the house: record, claim, settle, look. The SQL of each is in a file of its own.

Read on in this order: records, schema, insert, claim, order, settle, transaction, group_commit.
"""

from __future__ import annotations

import itertools
import os
import secrets
import socket
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from soap_handler import clock as wall_clock
from soap_handler import telemetry
from soap_handler.errors import JournalRefusedError, JournalUnavailableError, SchemaError
from soap_handler.journal import insert, purge, queries, queue_clock, reconciliations
from soap_handler.journal.announcer import Announcer
from soap_handler.journal.claim import ClaimRequest, begin, claim
from soap_handler.journal.database_errors import reason
from soap_handler.journal.engine import create_no_more, open_engine
from soap_handler.journal.erasure.verbs import Erasures
from soap_handler.journal.execute import PLAIN
from soap_handler.journal.gate_verbs import InboxGates
from soap_handler.journal.group_commit import GroupCommit
from soap_handler.journal.idle_verbs import IDLE_VERBS
from soap_handler.journal.migrate import HEAD, migrate
from soap_handler.journal.pooler import refuse_shared_sessions
from soap_handler.journal.postgresql import is_psycopg, limit_silence
from soap_handler.journal.proof import prove_writable
from soap_handler.journal.records import Settlement, State, Step
from soap_handler.journal.settle import dead_in_parts, release, requeue_dead, settle
from soap_handler.journal.sqlite import READ_ONLY
from soap_handler.journal.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from sqlalchemy import Connection

    from soap_handler.journal.execute import Executor
    from soap_handler.journal.group_commit import Committer, CommitterFactory
    from soap_handler.journal.purge import Cleared
    from soap_handler.journal.reconciliations import Beginning, Known, Reconciliation, Tally
    from soap_handler.journal.records import Attempt, Claim, Entry, Record, Selection
    from soap_handler.journal.scope import Scope
    from soap_handler.notifications import Kind

T = TypeVar("T")

_SILENCE_MARGIN_SECONDS: Final = 1.0  # a caller is told of its own limit first
_CLOSE_SECONDS: Final = 30.0
_LEAST_SECONDS: Final = 0.05  # that a commit is waited for


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
        clock: Callable[[], datetime] | None = None,
        note_arrivals: Callable[[int], None] = lambda _: None,
        committer: CommitterFactory = GroupCommit,
        execute: Executor = PLAIN,
        create: bool = True,
    ) -> None:
        """Open the journal at a SQLAlchemy URL and bring its tables up to date; make it, where it may.

        ``timeout`` is how long (seconds) a verb waits for its commit. Without ``create``, a journal that is not there
        is an error; a file that goes later is never replaced by an empty one, either way. ``note_arrivals`` is told how
        many entries come in, before they are committed: load shedding knows a burst by it. ``committer`` and
        ``execute`` are the two seams for speed, plain by default. ``clock`` takes the place of all clocks, for a test.

        Raises:
            JournalUnavailableError: the database cannot be opened, or used as a journal.
            SchemaError: its tables are of a newer release.
        """
        self._queue_clock = wall_clock.QueueClock(clock)
        silence_limit = timeout + _SILENCE_MARGIN_SECONDS
        self._engine = open_engine(url, execute, self._queue_clock, create=create, silence_limit=silence_limit)
        self._on_psycopg = is_psycopg(self._engine)
        self._timeout = timeout
        self._note_arrivals = note_arrivals
        # Hosts that share a database differ in their wall clocks: there, the database's serves people too.
        of_database = self._engine.dialect.name == "postgresql"
        self._clock = clock or (self._queue_clock.now if of_database else wall_clock.now)
        self._instance = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._leases = itertools.count(1)
        try:
            migrate(self._engine, create_tables=create)
            create_no_more(self._engine, HEAD)
            queue_clock.join(self._engine, self._queue_clock)
            if self._on_psycopg:
                refuse_shared_sessions(self._engine)
        except (SQLAlchemyError, OSError, JournalUnavailableError, SchemaError) as error:
            self._engine.dispose()
            if isinstance(error, SQLAlchemyError | OSError):
                raise JournalUnavailableError(f"the journal cannot be opened: {reason(error)}") from error
            raise
        self._announcer = Announcer(self._engine, self._instance, idle=IDLE_VERBS)
        # Settle before claim: a row settled in this transaction has no lease any more. A claim that ran first would
        # still see the old state.
        self.committer: Committer = committer(self._engine, self._announcer, last=claim)
        """The seam through which this journal writes."""
        self.gates = InboxGates(self.committer, self.wait, self.read, self.queue_now, self._instance)
        """The gates of the inboxes, shared by all processes."""
        self.erasures = Erasures(self.committer, self.wait, self.read, self._clock, self._engine)
        """What removes a phone number."""

    def close(self, seconds: float | None = None) -> bool:
        """Commit what is queued and give everything back, for so many seconds at most; return whether that was enough.

        Without a limit of the caller's, it is what a slow disk may need. What is left then is not committed, or its
        commit is not known of; a thread that waits for it is left behind.
        """
        limit = max(_CLOSE_SECONDS, self._timeout) if seconds is None else seconds
        committed = self.committer.close(limit)
        heard = self._announcer.close(_SILENCE_MARGIN_SECONDS)
        if not (committed and heard):
            telemetry.emit("journal_not_closed", seconds=limit)
        self._engine.dispose()
        return committed and heard

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

    def now(self) -> datetime:
        """Return the present instant for people: by the wall clock, or by that of the database that hosts share."""
        return self._clock()

    def queue_now(self) -> datetime:
        """Return the present instant by the clock of due times and leases, which no step of the wall clock moves."""
        return self._queue_clock.now()

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
        """Wait for the commit that a future stands for, no longer than the journal's timeout.

        Where a transaction has been under way for so long already, that time counts: requests that wait for each
        other's threads must not be told one after the other.
        """
        now = time.monotonic()
        busy = now - (self.committer.busy_since or now)
        try:
            return commit.result(max(_LEAST_SECONDS, self._timeout - busy))
        except FutureTimeoutError as error:
            commit.cancel()
            raise JournalUnavailableError(f"the journal did not commit within {self._timeout:g} s") from error

    # -- the queue ---------------------------------------------------------------------------------------------------

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
        claiming = self.committer.submit(
            claim, ClaimRequest(step, owner, self._clock(), lease, limit, account, **terms)
        )
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
        moment = self._clock()
        self.settle([Settlement(claim, Step.DELETE, State.DONE, None, claim.leased_at, moment) for claim in claims])

    def settle_delete_failed(self, claims: Sequence[Claim], error: str, retry_at: datetime) -> None:
        """Note that the deletes failed, and are due again at ``retry_at``, by :meth:`queue_now`."""
        moment = self._clock()
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
        parts = queue_clock.held_back_in_parts(self.read, selection, self.queue_now())
        return sum(self.committer.submit(queue_clock.release_due, seqs).result() for seqs in parts)

    def count_held_back(self, selection: Selection) -> int:
        """Return how much :meth:`release_due` would release."""
        now = self.queue_now()
        return self.read(lambda connection: queue_clock.count_held_back(connection, selection, now))

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
        """Commit entries together; say of each whether it was new.

        Raises:
            JournalRefusedError: one of them cannot be stored. All others are.
        """
        try:
            return self.wait(self.submit_all(entries))
        except JournalRefusedError:
            if len(entries) == 1:
                raise
        return self._record_singly(entries)

    def _record_singly(self, entries: Sequence[Entry]) -> list[bool]:
        refused: JournalRefusedError | None = None
        answers = []
        for entry in entries:
            try:
                answers.append(self.record(entry))
            except JournalRefusedError as error:
                refused = error
        if refused is not None:
            raise refused
        return answers

    def known(self, keys: Sequence[str]) -> dict[str, Known]:
        """Return what is known of those of the keys that are in the journal."""
        return self.read(lambda connection: reconciliations.known(connection, keys), self._timeout)

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
        return self.read(lambda connection: reconciliations.runs(connection, account, limit))

    # -- what does not stay ------------------------------------------------------------------------------------------

    def purge(self, before: datetime, after: int = 0, last: int | None = None) -> Cleared:
        """Delete what was done before an instant, in one step behind row ``after``; ``last`` is the newest to go."""
        return self.wait(self.committer.submit(purge.purge, purge.Cut(before, after, last=last)))

    def pass_time(self, uptime: timedelta, floor: timedelta) -> int:
        """Note that this process has seen so much time pass since it last said so.

        Returns the newest row that has been here while ``floor`` surely passed, with all processes; 0 for none.
        """
        return self.wait(self.committer.submit(purge.pass_time, purge.Passing(uptime, floor)))

    def purge_reconciliations(self, before: datetime) -> int:
        """Delete the records of reconciliations that began before an instant; return how many there were."""
        return self.wait(self.committer.submit(purge.purge_runs, before))

    # -- reading -----------------------------------------------------------------------------------------------------

    def next_handling(self, scope: Scope | None = None) -> datetime | None:
        """Return when the next handler is due, by :meth:`queue_now`; ``None`` when there is nothing to handle."""
        return self.read(lambda connection: queries.next_handling(connection, scope), self._timeout)

    def next_deletions(self) -> dict[str, datetime]:
        """Return when the next delete is due, by account and :meth:`queue_now`; none is due for the others."""
        return self.read(queries.next_deletions, self._timeout)

    def counts(self) -> dict[tuple[Kind, State], int]:
        """Return how many notifications there are of each kind in each state."""
        return self.read(queries.counts)

    def records(self, selection: Selection, limit: int | None = None, offset: int = 0) -> list[Record]:
        """Return the records of a selection, latest first."""
        # Both clocks are read a moment apart, so that less than a second is no difference.
        ahead = timedelta(seconds=round((self.queue_now() - self._clock()).total_seconds()))
        return self.read(lambda connection: queries.records(connection, selection, limit, offset, ahead))

    def history(self, seq: int) -> list[Attempt]:
        """Return the attempts at a notification, oldest first."""
        return self.read(lambda connection: queries.history(connection, seq))

    def attempts(self) -> Iterator[tuple[str, Attempt]]:
        """Return every attempt with the key of its notification, oldest first."""
        return iter(self.read(queries.attempts))

    def read(self, query: Callable[[Connection], T], silence: float | None = None) -> T:
        """Carry out a query; ``silence`` is how long (seconds) the server may say nothing, where that is known."""
        try:
            with self._engine.connect().execution_options(**READ_ONLY) as connection:
                if silence is not None and self._on_psycopg:
                    limit_silence(connection, silence)
                return query(connection)
        except (SQLAlchemyError, OSError) as error:
            raise JournalUnavailableError(f"the journal cannot be read: {reason(error)}") from error
