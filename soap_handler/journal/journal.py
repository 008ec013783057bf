"""The journal for the rest of the house: it is opened and closed here, and here is the verb of a push, ``record``.

The other verbs are in files by their use: ``queue_verbs``, ``upkeep_verbs``, ``reading_verbs``. The SQL of each verb is
in a file of its own. Read on in this order: group_commit, insert, records, schema, claim, order, settle, transaction.
"""

from __future__ import annotations

import itertools
import os
import secrets
import socket
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Final, Self, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from soap_handler import clock as wall_clock
from soap_handler import telemetry
from soap_handler.errors import JournalUnavailableError, SchemaError
from soap_handler.journal import insert, queue_clock
from soap_handler.journal.announcer import Announcer
from soap_handler.journal.claim import claim
from soap_handler.journal.databases.engine import create_no_more, open_engine
from soap_handler.journal.databases.errors import reason
from soap_handler.journal.databases.pooler import refuse_shared_sessions
from soap_handler.journal.databases.postgresql import is_psycopg, limit_silence
from soap_handler.journal.databases.proof import prove_writable
from soap_handler.journal.databases.sqlite import READ_ONLY
from soap_handler.journal.erasure.verbs import Erasures
from soap_handler.journal.execute import PLAIN
from soap_handler.journal.group_commit import GroupCommit
from soap_handler.journal.idle_verbs import IDLE_VERBS
from soap_handler.journal.inbox.gate_verbs import InboxGates
from soap_handler.journal.migrate import HEAD, migrate
from soap_handler.journal.queue_verbs import QueueVerbs
from soap_handler.journal.reading_verbs import ReadingVerbs
from soap_handler.journal.upkeep_verbs import UpkeepVerbs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from sqlalchemy import Connection

    from soap_handler.journal.execute import Executor
    from soap_handler.journal.group_commit import Committer, CommitterFactory
    from soap_handler.journal.records import Entry

T = TypeVar("T")

SILENCE_MARGIN_SECONDS: Final = 1.0
"""More than a caller waits, until a silent server is given up: the caller is told of its own limit first."""
_CLOSE_SECONDS: Final = 30.0
_LEAST_SECONDS: Final = 0.05  # that a commit is waited for


class Journal(QueueVerbs, UpkeepVerbs, ReadingVerbs):
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
        silence_limit = timeout + SILENCE_MARGIN_SECONDS
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
        self.gates = InboxGates(self, self._instance)
        """The gates of the inboxes, shared by all processes."""
        self.erasures = Erasures(self, self._engine)
        """What removes a phone number."""

    def close(self, seconds: float | None = None) -> bool:
        """Commit what is queued and give everything back, for so many seconds at most; return whether that was enough.

        Without a limit of the caller's, it is what a slow disk may need. What is left then is not committed, or its
        commit is not known of; a thread that waits for it is left behind.
        """
        limit = max(_CLOSE_SECONDS, self._timeout) if seconds is None else seconds
        committed = self.committer.close(limit)
        heard = self._announcer.close(SILENCE_MARGIN_SECONDS)
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

    def read(self, query: Callable[[Connection], T], silence: float | None = None) -> T:
        """Carry out a query; ``silence`` is how long (seconds) the server may say nothing, where that is known."""
        try:
            with self._engine.connect().execution_options(**READ_ONLY) as connection:
                if silence is not None and self._on_psycopg:
                    limit_silence(connection, silence)
                return query(connection)
        except (SQLAlchemyError, OSError) as error:
            raise JournalUnavailableError(f"the journal cannot be read: {reason(error)}") from error
