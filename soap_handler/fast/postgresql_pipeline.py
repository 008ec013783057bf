"""Pushes on their way to PostgreSQL without a thread that waits for it: the I/O loop sends them and is told of answers.

A batch is one statement that commits by itself. One is under way at a time; what comes meanwhile goes together in the
next one. So the loop goes on reading and answering, whatever the server does, and no thread has to be woken. Where that
is not possible (no connection yet, an answer that is late, somebody who listens to what is executed), the journal's
thread does it in its own way.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from soap_handler import telemetry
from soap_handler.fast.compiled_sql import is_heard
from soap_handler.journal.engine import SINGLE, abandon

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from psycopg.pq.abc import PGresult
    from sqlalchemy import Connection, Dialect, Engine

_NAME: Final = b"soap_handler_sends"
_LATE: Final = 0.05  # seconds: an answer that takes longer is waited for by those alone who have sent already
_PAUSE: Final = 1.0  # seconds between two attempts to connect


class Watch(Protocol):
    """How the loop is asked to look after a file."""

    def __call__(self, number: int, call: Callable[[], None] | None, *, writing: bool = False) -> None:
        """Call this when there is something to read from a file (or room to write); with ``None``, no more."""


A_contra = TypeVar("A_contra", contravariant=True)


class Sending(Protocol[A_contra]):
    """What is sent: one statement with one parameter, whose answer is one column of texts."""

    def text(self, dialect: Dialect) -> str:
        """Return the statement, with its parameter as ``$1``."""

    def tell(self, several: Sequence[A_contra]) -> tuple[str, Callable[[Collection[str]], Sequence[Any]]]:
        """Return the parameter for several arguments, and what makes a result for each of them out of the answer."""


class Request(Protocol):
    """Somebody's request."""

    argument: Any


T = TypeVar("T", bound=Request)


class Sender(Generic[T]):
    """Sends for one loop, in whose thread it is made. All but :meth:`connect` is for that thread."""

    def __init__(
        self,
        engine: Engine,
        sending: Sending[Any],
        watch: Watch,
        *,
        landed: Callable[[Sequence[T], Sequence[Any] | Exception], None],
        leave: Callable[[Sequence[T]], None],
        lost: Callable[[], None],
    ) -> None:
        """``landed`` is told what became of requests: their results, or why there are none.

        ``leave`` takes back requests that were never sent. ``lost`` is called when the connection is found to be cut
        while nothing is under way; others to the same server probably are cut too.
        """
        self._engine = engine
        self._sending = sending
        self._text = sending.text(engine.dialect)
        self._watch = watch
        self._landed = landed
        self._leave = leave
        self._lost = lost
        self._thread = threading.get_ident()
        self._spare: Connection | None = None  # opened by the journal's thread, and not yet in use
        self._connection: Connection | None = None
        self._driver: Any = None  # its connection of psycopg
        self._number = -1  # its file
        self._connect_at = 0.0
        self._sent: Sequence[T] = ()
        self._sent_at = 0.0
        self._answers: list[Any] = []  # what has come of the answer
        self._read: Callable[[Collection[str]], Sequence[Any]] = tuple
        self._waiting: list[T] = []
        self._writing = False
        self._closed = False
        self._closing = threading.Lock()  # or a connection could be left open

    # -- the journal's thread ----------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Open the connection if there is none; for a thread that may wait for the server."""
        connected = self._spare is not None or self._connection is not None
        if connected or time.monotonic() < self._connect_at:
            return
        self._connect_at = time.monotonic() + _PAUSE
        try:
            connection = self._open()
        except SQLAlchemyError as error:
            telemetry.emit("journal_connection_lost", error=type(error).__name__)
            return
        with self._closing:
            if not self._closed:
                self._spare = connection
                return
        abandon(connection)

    def _open(self) -> Connection:
        connection = self._engine.connect().execution_options(**SINGLE)
        driver: Any = connection.connection.driver_connection
        try:
            with self._told_as_ever():
                self._check(driver.pgconn.prepare(_NAME, self._text.encode()))
        except SQLAlchemyError:
            abandon(connection)
            raise
        return connection

    # -- the loop's thread -------------------------------------------------------------------------------------------

    def take(self, request: T) -> bool:
        """Send a request, or have it wait for the answer that is under way; return whether that can be done."""
        if threading.get_ident() != self._thread or not self._is_connected():
            return False
        if not self._sent:
            self._send([request])
        elif time.monotonic() - self._sent_at < _LATE:
            self._waiting.append(request)
        else:
            return False
        return True

    def close(self) -> None:
        """Give back the connection. What is under way fails, as it has nobody any more who could be answered."""
        with self._closing:
            self._closed = True
        self._drop(ConnectionAbortedError("the loop has ended"))
        if self._spare is not None:
            abandon(self._spare)

    def _is_connected(self) -> bool:
        if self._connection is None:
            self._connection, self._spare = self._spare, None
            if self._connection is None:
                return False
            self._driver = self._connection.connection.driver_connection
            self._number = self._driver.fileno()
            self._watch(self._number, self._proceed)
        return not is_heard(self._connection)

    def _send(self, requests: Sequence[T]) -> None:
        self._sent, self._sent_at = requests, time.monotonic()
        try:
            told, self._read = self._sending.tell([request.argument for request in requests])
            with self._told_as_ever():
                self._driver.pgconn.send_query_prepared(_NAME, [told.encode(self._driver.info.encoding)])
                self._flush()
        except Exception as error:  # noqa: BLE001 - whatever it is goes to those who asked
            self._drop(error)

    def _flush(self) -> None:
        writing = bool(self._driver.pgconn.flush())
        if writing != self._writing:
            self._writing = writing
            self._watch(self._number, self._proceed, writing=writing)

    def _proceed(self) -> None:
        """Take in what has come; when the answer is complete, send what has waited for that, and tell of it."""
        try:
            outcome = self._outcome()
        except Exception as error:  # noqa: BLE001 - likewise
            self._drop(error)
            return
        if outcome is not None:
            landed, waiting = self._sent, self._waiting
            self._sent, self._waiting, self._answers = (), [], []
            if waiting:
                self._send(waiting)  # the server has something to do while we answer
            self._landed(landed, outcome)

    def _outcome(self) -> Sequence[Any] | None:
        """Return the results of what was sent, if the answer is complete.

        Raises:
            DBAPIError: the statement has failed, or the connection is lost.
        """
        with self._told_as_ever():
            self._flush()
            self._driver.pgconn.consume_input()
            while self._sent and not self._driver.pgconn.is_busy():
                answer = self._driver.pgconn.get_result()
                if answer is None:
                    return self._read(self._texts())
                self._check(answer)
                self._answers.append(answer)
        return None

    def _texts(self) -> Collection[str]:
        encoding = self._driver.info.encoding
        return [answer.get_value(row, 0).decode(encoding) for answer in self._answers for row in range(answer.ntuples)]

    def _check(self, answer: PGresult) -> None:
        """Raise what the server says, if it is an error."""
        from psycopg import errors, pq  # noqa: PLC0415 - installed only with the extra

        if answer.status not in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
            raise errors.error_from_result(answer)

    @contextmanager
    def _told_as_ever(self) -> Iterator[None]:
        """Have errors of the driver look as those that SQLAlchemy raises."""
        from psycopg import Error  # noqa: PLC0415 - installed only with the extra

        try:
            yield
        except Error as error:
            raise DBAPIError.instance(self._text, None, error, Error, hide_parameters=True) from error

    def _drop(self, error: Exception) -> None:
        """Give up the connection: nobody knows what state it is in. What was sent fails; what waits goes elsewhere."""
        landed, waiting = self._sent, self._waiting
        self._sent, self._waiting, self._answers, self._writing = (), [], [], False
        if self._connection is not None:
            self._watch(self._number, None)
            abandon(self._connection)
            self._connection = None
        if landed:
            self._landed(landed, error)
        elif not self._closed:
            telemetry.emit("journal_connection_lost", error=type(error).__name__)
            self._lost()
        if waiting:
            self._leave(waiting)
