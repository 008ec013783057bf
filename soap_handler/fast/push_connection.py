"""One connection to PostgreSQL that the I/O loop looks after as one of its sockets, for pushes alone.

It speaks to libpq without waiting: a batch is one statement that commits by itself, one is under way at a time, and
what comes meanwhile goes together in the next one.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from soap_handler.fast.json_rows import PUSH, as_json
from soap_handler.journal import insert
from soap_handler.journal.commit_metrics import count_commit
from soap_handler.journal.databases.engine import abandon
from soap_handler.journal.execute import queue_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psycopg.pq.abc import PGresult
    from sqlalchemy import Engine

    from soap_handler.journal import Entry
    from soap_handler.journal.group_commit import Request

    Completed: TypeAlias = Callable[[Sequence[Request]], None]
    Disconnected: TypeAlias = Callable[["PushConnection", Sequence[Request], Sequence[Request], Exception], None]

LATE_SECONDS: Final = 0.05
"""Requests that come while an answer is later than this do not wait for it: the thread commits them."""
_STATEMENT_NAME: Final = b"soap_handler_push"
_PUSH: Final = PUSH.replace("%(rows)s", "$1")  # as libpq has it
_AUTOCOMMIT: Final = {"isolation_level": "AUTOCOMMIT"}  # each statement is a transaction of its own, in one round trip


def can_store(entries: Sequence[Entry]) -> bool:
    """Whether the statement of this connection stores these entries as ``insert.record`` would.

    It knows neither further notifications of a request, nor what an earlier release recorded of a repaired one.
    """
    return not any(entry.others or entry.notification.digest for entry in entries)


class PushConnection:
    """A connection that is one of waitress's sockets: the loop calls it when the server has sent something."""

    accepting = False  # the names that waitress's loop asks for
    connected = True

    def __init__(self, engine: Engine, completed: Completed, disconnected: Disconnected) -> None:
        """Connect, and have the server prepare the statement. For a thread that may wait for the server.

        ``completed`` gets requests with their results, after the commit. ``disconnected`` is told of a lost connection:
        what was sent and has no answer, what was not sent, and why.

        Raises:
            SQLAlchemyError: the server is out of reach.
        """
        self._completed = completed
        self._disconnected = disconnected
        self._connection = engine.connect().execution_options(**_AUTOCOMMIT)
        driver: Any = self._connection.connection.driver_connection
        self._driver = driver
        self._encoding: str = driver.info.encoding
        self.number: int = driver.fileno()
        """The number of its file."""
        self._sent: list[Request] = []
        self._sent_at = 0.0
        self._keys: list[str] = []  # of the entries that were sent
        self._waiting: list[Request] = []
        self._results: list[PGresult] = []  # what has come of the answer
        self._is_open = True
        self._unsent = False  # whether libpq holds bytes that the server has not taken yet
        try:
            with _as_sqlalchemy_error():
                _prepare(driver)
        except SQLAlchemyError:
            abandon(self._connection)
            raise

    @property
    def is_late(self) -> bool:
        """Whether an answer is awaited for so long that no further request should wait for it."""
        return bool(self._sent) and time.monotonic() - self._sent_at >= LATE_SECONDS

    @property
    def silent_for(self) -> float:
        """For how many seconds an answer has been awaited; 0 where none is."""
        return time.monotonic() - self._sent_at if self._sent else 0.0

    def give_up(self, error: Exception) -> None:
        """Give up the connection: its server keeps silent for too long."""
        self._lose(error)

    def send(self, *requests: Request) -> None:
        """Send requests, or have them wait for the answer that is under way."""
        if self._sent:
            self._waiting += requests
            return
        self._sent, self._sent_at = list(requests), time.monotonic()
        try:
            rows = self._rows(requests)
            with _as_sqlalchemy_error():
                self._driver.pgconn.send_query_prepared(_STATEMENT_NAME, [rows.encode(self._encoding)])
                self._flush()
        except Exception as error:  # noqa: BLE001 - the callers are told, whatever it is
            self._lose(error)

    def _rows(self, requests: Sequence[Request]) -> str:
        entries = [entry for request in requests for entry in request.argument]
        self._keys, rows = insert.rows_by_key(entries, queue_now(self._connection))
        return as_json(rows.values())

    def _flush(self) -> None:
        self._unsent = bool(self._driver.pgconn.flush())

    def _lose(self, error: Exception) -> None:
        """Give up the connection: after an error its state is unknown."""
        if self._is_open:
            self._disconnected(self, *self.end(), error)

    def end(self) -> tuple[list[Request], list[Request]]:
        """Close the connection, and return what was sent and has no answer, and what has waited for that."""
        sent, waiting = self._sent, self._waiting
        self._sent, self._waiting = [], []
        self.close()
        return sent, waiting

    # -- what waitress's loop calls ----------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the number of its file."""
        return self.number

    def readable(self) -> bool:
        """Say yes: an answer may come, and so may the end of the connection."""
        return True

    def writable(self) -> bool:
        """Whether there is something left to send."""
        return self._unsent

    def handle_read_event(self) -> None:
        """Take in what has come; when the answer is complete, send what has waited for it, and answer the callers."""
        if not self._is_open:
            return
        try:
            is_complete = self._take_in()
        except Exception as error:  # noqa: BLE001 - the callers are told, whatever it is
            self._lose(error)
            return
        if is_complete:
            completed, waiting = self._sent, self._waiting
            seconds = time.monotonic() - self._sent_at
            self._note_results(completed)
            self._sent, self._waiting, self._results = [], [], []
            if waiting:
                self.send(*waiting)  # the server has something to do while we answer
            self._completed(completed)
            count_commit(completed, seconds)

    handle_write_event = handle_read_event  # which goes on sending too

    def handle_close(self) -> None:
        """Give up a connection that the server has closed; what it said before is read first."""
        self.handle_read_event()
        self._lose(ConnectionResetError("the server has closed the connection"))

    def handle_error(self) -> None:
        """Give up the connection after a defect."""
        self._lose(ConnectionAbortedError("the loop met a defect"))

    def close(self) -> None:
        """Close the connection for good."""
        if self._is_open:
            self._is_open = False
            abandon(self._connection)

    def _take_in(self) -> bool:
        """Read what has come, and return whether the answer to what was sent is complete.

        Raises:
            DBAPIError: the statement has failed, or the connection is lost.
        """
        with _as_sqlalchemy_error():
            self._flush()
            self._driver.pgconn.consume_input()
            while self._sent and not self._driver.pgconn.is_busy():
                result = self._driver.pgconn.get_result()
                if result is None:
                    return True
                _check(result)
                self._results.append(result)
        return False

    def _note_results(self, requests: Sequence[Request]) -> None:
        rows = ((result, row) for result in self._results for row in range(result.ntuples))
        inserted = [(result.get_value(row, 0) or b"").decode(self._encoding) for result, row in rows]
        answers = insert.are_new(self._keys, inserted)
        for request, result in zip(
            requests, insert.by_batch([request.argument for request in requests], answers), strict=True
        ):
            request.result = result


@contextmanager
def _as_sqlalchemy_error() -> Iterator[None]:
    """Have errors of the driver look as those that SQLAlchemy raises."""
    from psycopg import Error  # noqa: PLC0415 - installed only with the extra

    try:
        yield
    except Error as error:
        raise DBAPIError.instance(None, None, error, Error, hide_parameters=True) from error


def _prepare(driver: Any) -> None:  # noqa: ANN401 - a connection of psycopg
    """Have the server prepare the statement; libpq's own function for it would wait without an end."""
    from psycopg.generators import execute  # noqa: PLC0415 - installed only with the extra

    driver.pgconn.send_prepare(_STATEMENT_NAME, _PUSH.encode())
    for result in driver.wait(execute(driver.pgconn)):
        _check(result)


def _check(result: PGresult) -> None:
    """Raise what the server says, if it is an error."""
    from psycopg import errors, pq  # noqa: PLC0415 - installed only with the extra

    if result.status not in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
        raise errors.error_from_result(result)
