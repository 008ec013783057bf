"""Group commit: one thread commits everything that has queued up in one transaction. It knows no tables, no verbs.

While a transaction waits for the disk, requests queue up, and the next transaction takes them all. So a lone request
waits for no other, and a burst shares the cost of each fsync. When one request of a batch is bad, each is committed
alone, so that it spoils no other.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from soap_handler import telemetry
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal.commit_metrics import count_commit
from soap_handler.journal.databases.engine import abandon, connect_to_write
from soap_handler.journal.databases.errors import as_journal_error, is_of_database, may_spoil_others, reason
from soap_handler.journal.databases.sqlite_transaction import transaction
from soap_handler.log_throttle import LogThrottle, Outage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine

    from soap_handler.journal.announcer import Announcer
    from soap_handler.journal.execute import Verb

A = TypeVar("A")
R = TypeVar("R")

_BATCH_REQUESTS: Final = 1000  # bounds the length of a transaction and the memory that it takes


class Committer(Protocol):
    """The seam through which everything is written: a verb and its argument in, the result after the commit."""

    @property
    def commits_inline(self) -> bool:
        """Whether a small request is likely to commit in the caller's own thread, before ``submit`` returns."""

    def submit(self, verb: Callable[[Connection, Sequence[A]], Sequence[R]], argument: A) -> Future[R]:
        """Carry out a verb in a transaction. The future is done after the commit, or fails with its reason."""

    busy_since: float | None
    """The monotonic time at which the present transaction began."""

    def close(self, seconds: float) -> bool:
        """Commit what is queued, for so long at most, and give everything back. What is submitted later fails.

        Returns whether nothing is left under way.
        """


class CommitterFactory(Protocol):
    """How a journal makes its committer."""

    def __call__(self, engine: Engine, announcer: Announcer, last: Verb) -> Committer:
        """Return a committer that tells the announcer of each transaction, in which the verb ``last`` comes last."""


@dataclass(slots=True, eq=False)
class Request:
    """One argument of a verb, and the future that gets its result."""

    verb: Verb
    argument: Any
    future: Future[Any] = field(default_factory=Future)
    result: Any = None
    """What the verb returned; the future is told after the commit."""

    def starts(self) -> bool:
        """Whether the caller has not given it up; from now on the caller cannot."""
        return self.future.running() or self.future.set_running_or_notify_cancel()


class GroupCommit:
    """The plain committer: a thread that commits all that has queued up, again and again."""

    def __init__(self, engine: Engine, announcer: Announcer, last: Verb) -> None:
        """Start the thread. The verb ``last`` comes last in each transaction: it sees what the others did."""
        self.engine = engine
        self.announcer = announcer
        self.connection: Connection | None = None
        """The connection of the thread, while there is one."""
        self._last = last
        self._log_throttle = LogThrottle()
        self._queue: SimpleQueue[Request | None] = SimpleQueue()  # None is the end
        self._outage: Outage | None = None
        self._closed = False
        self._closing = threading.Lock()  # no request may be queued behind the end
        self.busy_since: float | None = None
        """The monotonic time at which the present transaction began; ``None`` where there is none."""
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def commits_inline(self) -> bool:
        """Never: the thread commits."""
        return False

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def submit(self, verb: Callable[[Connection, Sequence[A]], Sequence[R]], argument: A) -> Future[R]:
        """Queue a request for the next transaction; its future is done after the commit."""
        return self.enqueue(Request(verb, argument))

    def enqueue(self, request: Request) -> Future[Any]:
        """Queue a request; it fails at once when the committer is closed."""
        with self._closing:
            if not self._closed:
                self._queue.put(request)
                return request.future
        request.future.set_exception(JournalUnavailableError("the journal is closed"))
        return request.future

    def close(self, seconds: float) -> bool:
        """Commit what is queued, then end the thread and give back the connection; return whether it has ended.

        A thread that waits for a disk or a server that stands still is left behind; what it has not begun fails.
        """
        with self._closing:
            self._closed = True
            self._queue.put(None)
        self._thread.join(seconds)
        if not self._thread.is_alive():
            return True
        with suppress(Empty):
            while True:
                request = self._queue.get_nowait()
                if request is not None and request.starts():
                    request.future.set_exception(JournalUnavailableError("the journal was closed before the commit"))
        self._queue.put(None)
        return False

    def _run(self) -> None:
        more = True
        while more:
            batch, more = self._next_batch()
            if batch:
                self.carry_out(batch)
        self.disconnect()

    def _next_batch(self) -> tuple[list[Request], bool]:
        """Wait for a request; return everything that has queued up, and whether more may follow."""
        queued: list[Request] = []
        request = self._queue.get()
        with suppress(Empty):
            while request is not None:
                queued.append(request)
                if len(queued) >= _BATCH_REQUESTS:
                    break
                request = self._queue.get_nowait()
        return [each for each in queued if each.starts()], request is not None

    def carry_out(self, batch: Sequence[Request]) -> None:
        """Commit a batch and answer it; when one request may be bad, commit each alone."""
        begun = self.busy_since = time.monotonic()
        try:
            self.commit(batch)
        except Exception as error:  # noqa: BLE001 - the caller is told, whatever it is
            self.busy_since = None
            self.disconnect()
            self.fail(batch, error)
        else:
            self.busy_since = None
            seconds = time.monotonic() - begun
            self.succeed(batch)
            count_commit(batch, seconds)

    def commit(self, batch: Sequence[Request]) -> None:
        """Carry out all requests in one transaction, verb by verb, and note their results."""
        by_verb: dict[Verb, list[Request]] = {}
        for request in batch:
            by_verb.setdefault(request.verb, []).append(request)
        if self.connection is None:
            self.connection = connect_to_write(self.engine)
        with transaction(self.connection):
            for verb in by_verb if len(by_verb) == 1 else sorted(by_verb, key=lambda verb: verb is self._last):
                results = verb(self.connection, [request.argument for request in by_verb[verb]])
                for request, result in zip(by_verb[verb], results, strict=True):
                    request.result = result
            if self.announcer.notifies:
                self.announcer.before_commit(self.connection, by_verb)

    def succeed(self, batch: Sequence[Request]) -> None:
        """Answer requests after their commit, and announce it."""
        if self._outage is not None:
            telemetry.emit("journal_recovered", seconds=self._outage.seconds)
            self._outage = None
        for request in batch:
            request.future.set_result(request.result)
        try:
            self.announcer.after_commit({request.verb for request in batch})
        except Exception as error:  # noqa: BLE001 - a listener must not end the only thread that writes
            telemetry.emit("journal_listener_failed", error=type(error).__name__, exc_info=True)

    def fail(self, batch: Sequence[Request], error: Exception) -> None:
        """Answer requests whose transaction failed, or commit each alone where only one of them may be bad."""
        if may_spoil_others(batch, error):
            for request in batch:
                self.carry_out([request])
            return
        if is_of_database(error):  # also of a bad request: the text of its error quotes values
            self._outage = self._outage or Outage()
            if times := self._log_throttle.due(type(error).__name__):
                telemetry.emit("journal_unavailable", reason=reason(error), requests=len(batch), times=times)
            error = as_journal_error(error)
        for request in batch:
            request.future.set_exception(error)

    def disconnect(self) -> None:
        """Drop the connection for good: after an error its state is unknown."""
        dropped, self.connection = self.connection, None
        if dropped is not None:
            abandon(dropped)
