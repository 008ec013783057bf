"""Group commit: one thread that carries out everything that has queued up in one transaction. It knows no tables.

While one transaction waits for the disk, the requests that arrive queue up, and the next transaction takes them all.
So a lone request waits for nobody, and a burst shares the cost of each fsync. Where the disk is quick, whoever asks may
carry out the request himself, in between the thread's transactions: then not even a thread has to be woken. Requests
that can wait a moment (``riders``) go with the next transaction of either.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from soap_handler import telemetry
from soap_handler.errors import JournalRefusedError, JournalUnavailableError
from soap_handler.fast.deferred_writes import MOMENT, Riders
from soap_handler.journal.engine import SINGLE, abandon, can_seize, can_send, commits_singly, connect_to_write, seize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine

    from soap_handler.fast.postgresql_pipeline import Sender, Sending, Watch

    Verb = Callable[[Connection, Sequence[Any]], Sequence[Any]]

A = TypeVar("A")
R = TypeVar("R")

_LARGEST_BATCH = 1000  # requests: bounds the length of a transaction and the memory that it takes
_QUICK = 0.005  # seconds: transactions that take longer are for a thread that has nothing else to do
_RIDING = 128  # rows that may ride with a transaction in somebody's own thread: a millisecond or two
_UNREACHABLE = (DBAPIError, DisconnectionError, PoolTimeoutError, OSError)
_AT_FAULT = (DataError, IntegrityError, ProgrammingError)  # the request is to blame, not the database
_COLLISIONS = ("40001", "40P01")  # SQLSTATE: serialization failure, deadlock detected


@dataclass(slots=True, eq=False)
class _Request:
    """One argument of a verb, and where its result goes. A verb is told many arguments at once."""

    verb: Verb
    argument: Any
    result: Future[Any] = field(default_factory=Future)


_RIDERS: Final = object()
"""In the queue: somebody waits for a ride."""


class Writer:
    """The one who writes. Each verb gets the arguments of all its requests and returns their results in that order."""

    def __init__(
        self,
        engine: Engine,
        committed: Callable[[set[Verb]], None],
        last: Verb,
        ending: Callable[[Connection, set[Verb]], None],
        *,
        sent: Callable[[set[Verb]], None],
        small: Callable[[Verb, Any], bool],
        patient: Callable[[Verb, Any], int],
        single: Verb,
        sending: Sending[Any],
    ) -> None:
        """Start the thread; ``committed`` is told after each commit which verbs took part, ``sent`` after the others'.

        The verb ``last`` comes last in each transaction, since what it finds depends on what the others did; then
        ``ending`` is called, still in it. ``small`` says of which requests whoever asks need not be spared the work;
        ``patient``, of those that can wait a moment, how many rows they concern, and 0 of all others. The verb
        ``single`` is one statement, whatever the requests: where nothing else takes part, it needs no transaction, and
        whoever :meth:`attend` was called for sends it by itself, as ``sending`` has it.
        """
        self._small = small
        self._patient = patient
        self._single = {single} if commits_singly(engine) else None
        self._sending = sending
        self._sender: Sender[_Request] | None = None
        self._engine = engine
        self._ending = ending
        self._committed = committed
        self._sent = sent
        self._last = last
        self._queue: SimpleQueue[Any] = SimpleQueue()  # requests, _RIDERS, and None for the end
        self._riders: Riders[_Request] = Riders()
        self._connection: Connection | None = None
        self._single_connection: Connection | None = None
        self._doubtful = False  # whether the connections may have been cut since they were used
        self._closed = False
        self._closing = threading.Lock()  # nothing may be queued behind the end
        self._writing = threading.Lock()  # of the connection and what is done on it
        self._usual = 0.0  # seconds that a transaction takes, as a moving average
        self.quick = False
        """Whether a small request is carried out in the caller's own thread, if nobody else writes at that instant."""
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def submit(self, verb: Callable[[Connection, Sequence[A]], Sequence[R]], argument: A) -> Future[R]:
        """Queue a request. Its future is done after the commit, or fails with :class:`JournalUnavailableError`.

        A small one is carried out in the caller's own thread where that is sure to be over soon: on SQLite, as long as
        nobody else writes and the disk is quick. Then to hand it over to the thread and be called back would cost more
        than the commit; the future is done at once. On PostgreSQL a loop that is attended sends it by itself.
        """
        request = _Request(verb, argument)
        rows = self._patient(verb, argument)
        if not rows:
            self._riders.note_ride()
            if self._small(verb, argument) and (self._send(request) or self._at_once(request)):
                return request.result
        self._queue_up(request, rows)
        return request.result

    def _queue_up(self, request: _Request, rows: int) -> None:
        with self._closing:
            if not self._closed:
                self._enqueue(request, rows)
                return
        request.result.set_exception(JournalUnavailableError("the journal is closed"))

    def _enqueue(self, request: _Request, rows: int) -> None:
        if not (rows and self._riders.have_rides):
            self._queue.put(request)
        elif self._riders.add(request, rows):
            self._queue.put(_RIDERS)

    def attend(self, watch: Watch | None) -> None:
        """Have the caller's thread, a loop, send by itself from now on, and be told by ``watch``; ``None`` ends it."""
        before, self._sender = self._sender, None
        if before is not None:
            before.close()
        if watch is not None and can_send(self._engine):
            from soap_handler.fast.postgresql_pipeline import Sender  # noqa: PLC0415 - a journal on SQLite need not have it

            self._sender = Sender(
                self._engine, self._sending, watch, landed=self._landed, leave=self._leave, lost=self._doubt
            )

    def _send(self, request: _Request) -> bool:
        if self._sender is None or {request.verb} != self._single:
            return False
        request.result.set_running_or_notify_cancel()
        return self._sender.take(request)

    def _landed(self, requests: Sequence[_Request], outcome: Sequence[Any] | Exception) -> None:
        if not isinstance(outcome, Exception):
            self._succeed(requests, outcome, self._sent)
        elif _spoils(requests, outcome):
            self._leave(requests)
        else:
            self._fail(requests, outcome)

    def _leave(self, requests: Sequence[_Request]) -> None:
        """Leave to the thread what was to be sent."""
        for request in requests:
            self._queue_up(request, 0)

    def _doubt(self) -> None:
        self._doubtful = True

    def _at_once(self, request: _Request) -> bool:
        """Carry out a request if nothing has to be waited for but the disk; return whether that was so."""
        if not self.quick or not self._writing.acquire(blocking=False):
            return False
        try:
            if self._closed or self._connection is None or not seize(self._connection):
                return False
            self._carry_out([request, *_begun(self._riders.take(_RIDING))])
        finally:
            self._writing.release()
        return True

    def close(self) -> None:
        """Commit what is queued, then end the thread and give back the connection."""
        with self._closing:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_for_work = True
        while open_for_work:
            batch, open_for_work = self._next_batch()
            if batch:
                with self._writing:
                    self._carry_out(batch)
        with self._writing:
            self._disconnect()

    def _next_batch(self) -> tuple[list[_Request], bool]:
        """Return everything that has queued up, and whether more may follow."""
        queued: list[_Request] = []
        next_one = self._queue.get()
        if next_one is _RIDERS:
            next_one = self._await_ride()
        with suppress(Empty):
            while next_one is not None:
                if next_one is not _RIDERS:
                    queued.append(next_one)
                if len(queued) >= _LARGEST_BATCH:
                    break
                next_one = self._queue.get_nowait()
        return _begun(queued + self._riders.take()), next_one is not None

    def _await_ride(self) -> Any:  # noqa: ANN401 - of what is in the queue
        """Return what comes within a moment that is no rider, or else nothing but the call to look after the riders."""
        come: Any = _RIDERS
        deadline = time.monotonic() + MOMENT
        with suppress(Empty):
            while come is _RIDERS and (left := deadline - time.monotonic()) > 0:
                come = self._queue.get(timeout=left)
        return come

    def _carry_out(self, batch: list[_Request]) -> None:
        """Commit the batch; when one request of it is at fault, commit each alone, so that it spoils no other."""
        try:
            results = self._commit(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is goes to the one who asked
            self._disconnect()
            if _spoils(batch, error):
                for request in batch:
                    self._carry_out([request])
                return
            self._fail(batch, error)
        else:
            self._succeed(batch, results, self._committed)
            sender = self._sender  # which the loop's thread may end at any time
            if sender is not None:
                sender.connect()

    def _succeed(
        self, batch: Sequence[_Request], results: Sequence[Any], announce: Callable[[set[Verb]], None]
    ) -> None:
        for request, result in zip(batch, results, strict=True):
            request.result.set_result(result)
        try:
            announce({request.verb for request in batch})
        except Exception as error:  # noqa: BLE001 - whoever listens must not end the only one who writes
            telemetry.emit("journal_listener_failed", error=type(error).__name__, exc_info=True)

    def _commit(self, batch: list[_Request]) -> list[Any]:
        if self._doubtful:
            self._doubtful = False
            self._disconnect()
        by_verb: dict[Verb, list[int]] = {}
        for position, request in enumerate(batch):
            by_verb.setdefault(request.verb, []).append(position)
        results: list[Any] = [None] * len(batch)
        begun = time.monotonic()
        connection = self._connect_singly() if by_verb.keys() == self._single else self._connect()
        with connection.begin():
            for verb, positions in sorted(by_verb.items(), key=lambda entry: entry[0] is self._last):
                outcome = verb(connection, [batch[position].argument for position in positions])
                for position, result in zip(positions, outcome, strict=True):
                    results[position] = result
            self._ending(connection, set(by_verb))
        self._usual += (time.monotonic() - begun - self._usual) / 8
        self.quick = self._usual <= _QUICK and can_seize(connection)
        return results

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = connect_to_write(self._engine)
        return self._connection

    def _connect_singly(self) -> Connection:
        if self._single_connection is None:
            self._single_connection = self._engine.connect().execution_options(**SINGLE)
        return self._single_connection

    def _disconnect(self) -> None:
        """Drop the connections for good: after an error nobody knows what state they are in."""
        dropped = self._connection, self._single_connection
        self._connection = self._single_connection = None
        self.quick = False
        for connection in dropped:
            if connection is not None:
                abandon(connection)

    def _fail(self, batch: Sequence[_Request], error: Exception) -> None:
        if isinstance(error, (SQLAlchemyError, OSError)):  # also of a request at fault: its own text quotes values
            telemetry.emit("journal_unavailable", reason=reason(error), requests=len(batch))
            kind = JournalUnavailableError if _out_of_reach(error) else JournalRefusedError
            error = kind(f"the journal cannot commit: {reason(error)}")
        for request in batch:
            request.result.set_exception(error)


def _begun(requests: Sequence[_Request]) -> list[_Request]:
    """Return those of the requests that nobody has given up; from now on nobody can."""
    return [
        request for request in requests if request.result.running() or request.result.set_running_or_notify_cancel()
    ]


def _spoils(batch: Sequence[_Request], error: Exception) -> bool:
    """Whether one of several requests may be at fault, and the others would go through without it."""
    return len(batch) > 1 and (_collided(error) or not _out_of_reach(error))


def _out_of_reach(error: Exception) -> bool:
    return isinstance(error, _UNREACHABLE) and not isinstance(error, _AT_FAULT)


def _collided(error: Exception) -> bool:
    """Whether two processes on PostgreSQL waited for each other's rows. One row at a time, that cannot happen."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _COLLISIONS


def reason(error: Exception) -> str:
    """Return what the database said, without the statement and its values (they hold personal data)."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    said = next(iter(str(cause).splitlines()), "")  # PostgreSQL quotes values in the lines that follow
    return f"{type(cause).__name__}: {' '.join(said.split())[:200]}"
