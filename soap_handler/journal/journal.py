"""The journal's verbs for the rest of the house: record, claim, settle, look. SQL is in ``verbs`` and ``queries``."""

from __future__ import annotations

import itertools
import os
import secrets
import socket
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from soap_handler.errors import JournalUnavailableError, SchemaError
from soap_handler.journal import purge, queries, reconciliations, verbs
from soap_handler.journal.engine import READ_ONLY, open_engine
from soap_handler.journal.erasure import erase
from soap_handler.journal.erasure import sqlite_file as wipe
from soap_handler.journal.group_commit import Writer, reason
from soap_handler.journal.insert import RecordingSent
from soap_handler.journal.listen_notify import OFTEN, Listener, can_wake, notify
from soap_handler.journal.migrate import migrate
from soap_handler.journal.records import Settlement, State, Step
from soap_handler.journal.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from concurrent.futures import Future

    from sqlalchemy import Connection

    from soap_handler.fast.postgresql_pipeline import Watch
    from soap_handler.journal.erasure.erase import Erasure, Wanted
    from soap_handler.journal.erasure.phone_number import Trace
    from soap_handler.journal.erasure.sqlite_file import Wiped
    from soap_handler.journal.group_commit import Verb
    from soap_handler.journal.purge import Cleared
    from soap_handler.journal.reconciliations import Beginning, Known, Reconciliation, Tally
    from soap_handler.journal.records import Attempt, Claim, Entry, Record, Selection
    from soap_handler.notifications import Kind

T = TypeVar("T")

_FEW = 64  # entries: a transaction of some milliseconds, even on a slow machine


def _is_small(verb: Verb, argument: Any) -> bool:  # noqa: ANN401 - of the verb's type
    return verb is verbs.record_all and len(argument) <= _FEW


def _is_patient(verb: Verb, argument: Any) -> int:  # noqa: ANN401 - likewise
    """Return how many rows a claim or a settlement concerns; nobody waits for it who must answer EMS."""
    if verb is verbs.settle:
        return len(argument)
    return int(argument.limit) if verb is verbs.claim else 0


def now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


class Journal:
    """A durable record and queue of notifications. Thread-safe. Whoever opens it closes it.

    Every verb that writes returns only after its commit, and raises :class:`JournalUnavailableError` when there was
    none: then nothing of it was stored, as far as can be known, and it may be tried again.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 10.0,
        clock: Callable[[], datetime] = now,
        note_arrivals: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Open the journal at a SQLAlchemy URL and bring its tables up to date.

        ``timeout`` is how long (seconds) a verb waits for its commit. ``note_arrivals`` is told how many entries come
        in, before they are committed; a burst is known by it.

        Raises:
            JournalUnavailableError: the database cannot be opened.
            SchemaError: its tables are of a newer release.
        """
        self._engine = open_engine(url)
        self._timeout = timeout
        self._note_arrivals = note_arrivals
        self._clock = clock
        self._instance = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._leases = itertools.count(1)
        self._listeners: list[Callable[[], None]] = []
        self._others: Listener | None = None
        self._told = 0.0  # when the others were last told of a commit
        self._owing = False  # whether they have yet to be told of the present one
        try:
            migrate(self._engine)
        except SQLAlchemyError as error:
            self._engine.dispose()
            raise JournalUnavailableError(f"the journal cannot be opened: {reason(error)}") from error
        except SchemaError:
            self._engine.dispose()
            raise
        # A claim comes last: what was settled in the same breath must not be claimed again, its lease being over.
        self._writer = Writer(
            self._engine,
            self._announce,
            verbs.claim,
            self._tell_others,
            small=_is_small,
            patient=_is_patient,
            single=verbs.record_all,
            sending=RecordingSent(),
            sent=self._announce_sent,
        )

    def close(self) -> None:
        """Commit what is under way and give everything back."""
        if self._others is not None:
            self._others.close()
        self._writer.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- receiving ---------------------------------------------------------------------------------------------------

    def submit(self, entry: Entry) -> Future[bool]:
        """Queue an entry for the next commit; the result is true when it was new, false for a duplicate."""
        self._note_arrivals(1)
        return self._writer.submit(verbs.record, entry)

    def submit_all(self, entries: Sequence[Entry]) -> Future[list[bool]]:
        """Queue entries for the next commit, all in one; the results are as those of :meth:`submit`.

        Some dozens are committed in the caller's own thread, if that is sure to be over soon (:attr:`quick`).
        """
        self._note_arrivals(len(entries))
        return self._writer.submit(verbs.record_all, entries)

    def attend(self, watch: Watch | None) -> None:
        """Let the calling thread, a loop that waits for files, commit by itself on PostgreSQL too; ``None`` ends it.

        What it hands in is then sent at once, and ``watch`` is told what to call when there is an answer.
        """
        self._writer.attend(watch)

    @property
    def quick(self) -> bool:
        """Whether :meth:`submit_all` of some dozens is likely to commit at once, in the caller's own thread."""
        return self._writer.quick

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
        request = verbs.ClaimRequest(step, owner, moment, moment + lease, limit, account, in_order)
        return self._writer.submit(verbs.claim, request).result()

    def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        """Write down how attempts ended; the answers say whose lease had been lost meanwhile (false)."""
        return self.submit_settlements(settlements).result()

    def submit_settlements(self, settlements: Sequence[Settlement]) -> Future[list[bool]]:
        """Queue settlements for the next commit, all in one; the results are as those of :meth:`settle`."""
        return self._writer.submit(verbs.settle, settlements)

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
        self._writer.submit(verbs.release, (step, self._clock(), claims)).result()

    def retry(self, selection: Selection) -> int:
        """Send the dead notifications of a selection round again; return how many there were."""
        return self._writer.submit(verbs.revive, (selection, self._clock())).result()

    def transaction(self, seconds: float) -> Transaction:
        """Return a transaction in which a handler writes and is settled, for ``seconds`` at most.

        Raises:
            JournalUnavailableError: the database is out of reach.
        """
        return Transaction(self._engine, seconds, self._tell_others, self._ring)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call this after each commit that may have made work; it must return at once.

        That is each commit of this process and, on PostgreSQL, of every other that shares the database.
        """
        self._listeners.append(listener)
        if self._others is None and can_wake(self._engine):
            self._others = Listener(self._engine, self._instance, self._ring)
            self._others.start()

    def _tell_others(self, connection: Connection, done: set[Verb] | None = None) -> None:
        """Let this transaction, when it commits, wake the other processes; a claim makes no work.

        In a burst that is left to the listener, which does it once for many.
        """
        if done == {verbs.claim} or not can_wake(self._engine):
            return
        if done is not None and self._others is not None:  # else it is no commit of the writer's
            self._owing = time.monotonic() < self._told + OFTEN
            if self._owing:
                return
            self._told = time.monotonic()
        notify(connection, self._instance)

    def _announce(self, done: set[Verb]) -> None:
        if self._owing and self._others is not None:
            self._owing = False
            self._others.tell()
        if not done <= {verbs.claim}:
            self._ring()

    def _announce_sent(self, _: set[Verb]) -> None:
        """Do likewise for a commit that was one statement, with no word to others in it."""
        if self._others is not None:
            self._others.tell()
        self._ring()

    def _ring(self) -> None:
        for listener in self._listeners:
            listener()

    # -- the inbox against the journal -------------------------------------------------------------------------------

    def record_all(self, entries: Sequence[Entry]) -> list[bool]:
        """Commit entries together; say of each whether it was new."""
        return self.wait(self.submit_all(entries))

    def known(self, keys: Sequence[str]) -> dict[str, Known]:
        """Return what is known of those of the keys that are in the journal."""
        return self._look(lambda connection: reconciliations.known(connection, keys))

    def delete_again(self, keys: Sequence[str], done_before: datetime) -> int:
        """Have those of the keys deleted once more that were done before an instant; return how many there were."""
        return self.wait(self._writer.submit(reconciliations.delete_again, (keys, done_before, self._clock())))

    def begin_reconciliation(self, beginning: Beginning) -> int | None:
        """Write down that a run begins, and return its number; ``None`` where another one makes it needless."""
        return self.wait(self._writer.submit(reconciliations.begin, beginning))

    def end_reconciliation(self, number: int, tally: Tally, error: str | None) -> None:
        """Write down how a run ended."""
        self.wait(self._writer.submit(reconciliations.end, reconciliations.Ending(number, self._clock(), tally, error)))

    def reconciliations(self, account: str | None = None, limit: int | None = None) -> list[Reconciliation]:
        """Return the records of the runs, latest first."""
        return self._look(lambda connection: reconciliations.runs(connection, account, limit))

    # -- what does not stay -------------------------------------------------------------------------------------------

    def purge(self, before: datetime, after: int = 0) -> Cleared:
        """Take one step through the journal, behind row ``after``: delete what was done before an instant."""
        return self.wait(self._writer.submit(purge.purge, purge.Cut(before, after)))

    def purge_reconciliations(self, before: datetime) -> int:
        """Delete the records of reconciliations that began before an instant; return how many there were."""
        return self.wait(self._writer.submit(purge.purge_runs, before))

    def erase(self, trace: Trace, account: str | None = None, inboxes: Collection[str] = ()) -> Erasure:
        """Remove every trace of a phone number, in one account or in all; return how much there was.

        ``inboxes`` are the accounts from whose EMS inbox messages are deleted; what waits there is not handled any
        more, but still deleted.
        """
        wanted = self._erasure(trace, account, inboxes)
        found = self._look(lambda connection: list(erase.find(connection, wanted)))
        return sum((self.wait(self._writer.submit(erase.erase, batch)) for batch in found), erase.Erasure())

    def rehearse_erasure(self, trace: Trace, account: str | None = None) -> Erasure:
        """Count what :meth:`erase` would remove, and write nothing."""
        wanted = self._erasure(trace, account, ())
        return self._look(lambda connection: erase.rehearse(connection, wanted))

    def _erasure(self, trace: Trace, account: str | None, inboxes: Collection[str]) -> Wanted:
        return erase.Wanted(trace, self._clock(), account, frozenset(inboxes))

    def wipe(self, trace: Trace) -> Wiped:
        """Remove what is left of an erased number in the journal's files, where that can be done."""
        return wipe.wipe(self._engine, trace.digits)

    # -- looking -----------------------------------------------------------------------------------------------------

    def next_handling(self) -> datetime | None:
        """Return when the next handler is due, or ``None`` when there is nothing to handle."""
        return self._look(queries.next_handling)

    def next_deletion(self, account: str) -> datetime | None:
        """Return when the next delete of an account is due, or ``None`` when there is nothing to delete."""
        return self._look(lambda connection: queries.next_deletion(connection, account))

    def counts(self) -> dict[tuple[Kind, State], int]:
        """Return how many notifications there are of each kind in each state."""
        return self._look(queries.counts)

    def records(self, selection: Selection, limit: int | None = None, offset: int = 0) -> list[Record]:
        """Return the records of a selection, latest first."""
        return self._look(lambda connection: queries.records(connection, selection, limit, offset))

    def history(self, seq: int) -> list[Attempt]:
        """Return the attempts at a notification, oldest first."""
        return self._look(lambda connection: queries.history(connection, seq))

    def attempts(self) -> Iterator[tuple[str, Attempt]]:
        """Return every attempt with the key of its notification, oldest first."""
        return iter(self._look(queries.attempts))

    def _look(self, query: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect().execution_options(**READ_ONLY) as connection:
                return query(connection)
        except SQLAlchemyError as error:
            raise JournalUnavailableError(f"the journal cannot be read: {reason(error)}") from error
