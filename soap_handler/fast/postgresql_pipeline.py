"""Pipelining: the I/O loop sends pushes to PostgreSQL by itself, and is told of the answer as of any socket.

A batch is one statement that commits by itself. One is under way at a time; what comes meanwhile goes together in the
next one. So the loop goes on reading and answering while the server works, and no thread has to be woken. The price is
a connection that speaks to libpq directly; where it cannot be used (not open yet, an answer that is late, another
thread), the journal's thread commits.
"""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Text, bindparam, cast, column, func, literal_column, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from soap_handler import telemetry
from soap_handler.journal import insert
from soap_handler.journal.database_errors import may_spoil_others
from soap_handler.journal.engine import abandon
from soap_handler.journal.group_commit import GroupCommit, Request
from soap_handler.journal.schema import notification, to_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from psycopg.pq.abc import PGresult
    from sqlalchemy import Connection, Dialect, Engine

    from soap_handler.journal.announcer import Announcer
    from soap_handler.journal.group_commit import Verb

A = TypeVar("A")
R = TypeVar("R")

LATE_SECONDS: Final = 0.05
"""Requests that come while an answer is later than this do not wait for it: the thread commits them."""
_CONNECT_SECONDS: Final = 1.0  # between two attempts to connect
_STATEMENT_NAME: Final = b"soap_handler_push"
_AUTOCOMMIT: Final = {"isolation_level": "AUTOCOMMIT"}  # each statement is a transaction of its own, in one round trip


class PipelinedCommit(GroupCommit):
    """Group commit beside a loop that sends pushes by itself, from :meth:`attach` to :meth:`detach`."""

    def __init__(self, engine: Engine, announcer: Announcer, last: Verb) -> None:
        """Start the thread, as :class:`GroupCommit` does."""
        self._sockets: dict[int, Any] | None = None
        self._loop = 0  # the thread that attached
        self._ready: PushConnection | None = None  # opened by the journal's thread, not yet in the map
        self._attached: PushConnection | None = None  # in the map
        self._connect_at = 0.0
        self._reconnects = False  # whether the thread's connection may have been cut too
        self._handing_over = threading.Lock()  # of the ready connection, or one could be left open
        super().__init__(engine, announcer, last)

    # -- the loop's thread -------------------------------------------------------------------------------------------

    def attach(self, sockets: dict[int, Any]) -> None:
        """Let the calling thread send by itself. ``sockets`` is waitress's map, by file number, that it waits for."""
        self._loop = threading.get_ident()
        self._sockets = sockets

    def detach(self) -> None:
        """End that. What is under way fails, as its answer would reach no one; what waits is left to the thread."""
        connection, self._attached = self._attached, None
        if connection is not None and self._sockets is not None:
            self._sockets.pop(connection.number, None)
        with self._handing_over:
            self._sockets = None
            ready, self._ready = self._ready, None
        if ready is not None:
            ready.close()
        if connection is not None:
            sent, waiting = connection.end()
            self.fail(sent, ConnectionAbortedError("the loop has ended"))
            self.requeue(waiting)

    def close(self) -> None:
        """Commit what is queued, and give everything back."""
        super().close()
        self.detach()

    def submit(self, verb: Callable[[Connection, Sequence[A]], Sequence[R]], argument: A) -> Future[R]:
        """Send a push of the loop, or have it wait for the answer that is under way; queue any other request."""
        request = Request(verb, argument)
        if verb is insert.record_all and threading.get_ident() == self._loop and self._may_send():
            request.starts()
            assert self._attached is not None  # noqa: S101 - tells mypy what _may_send said
            self._attached.send(request)
            return request.future
        return self.enqueue(request)

    def _may_send(self) -> bool:
        if self._attached is None and self._ready is not None and self._sockets is not None:
            with self._handing_over:
                self._attached, self._ready = self._ready, None
            self._sockets[self._attached.fileno()] = self._attached
        return self._attached is not None and not self._attached.is_late

    def disconnected(
        self, connection: PushConnection, sent: Sequence[Request], waiting: Sequence[Request], error: Exception
    ) -> None:
        """Take the connection out of the map. What was sent fails, or goes to the thread where one may be bad."""
        self._attached = None
        if self._sockets is not None:
            self._sockets.pop(connection.number, None)
        if not sent:
            telemetry.emit("journal_connection_lost", error=type(error).__name__)
            self._reconnects = True  # other connections to the same server were probably cut too
        elif may_spoil_others(sent, error):
            self.requeue(sent)
        else:
            self.fail(sent, error)
        self.requeue(waiting)

    def requeue(self, requests: Sequence[Request]) -> None:
        """Leave requests to the thread."""
        for request in requests:
            self.enqueue(request)

    # -- the journal's thread ----------------------------------------------------------------------------------------

    def carry_out(self, batch: Sequence[Request]) -> None:
        """Commit a batch; then open the connection for the loop, if it has none."""
        if self._reconnects:
            self._reconnects = False
            self.disconnect()
        super().carry_out(batch)
        if self.connection is not None:  # else the server is out of reach
            self._connect()

    def _connect(self) -> None:
        is_wanted = self._sockets is not None and self._ready is None and self._attached is None
        if not is_wanted or time.monotonic() < self._connect_at:
            return
        self._connect_at = time.monotonic() + _CONNECT_SECONDS
        try:
            ready = PushConnection(self.engine, self)
        except SQLAlchemyError as error:
            telemetry.emit("journal_connection_lost", error=type(error).__name__)
            return
        with self._handing_over:
            if self._sockets is not None:
                self._ready = ready
                return
        ready.close()


class PushConnection:
    """A connection that is one of waitress's sockets: the loop calls it when the server has sent something."""

    accepting = False  # the names that waitress's loop asks for
    connected = True

    def __init__(self, engine: Engine, owner: PipelinedCommit) -> None:
        """Connect, and have the server prepare the statement. For a thread that may wait for the server.

        Raises:
            SQLAlchemyError: the server is out of reach.
        """
        self._owner = owner
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
                statement = push_statement(engine.dialect)
                _check(driver.pgconn.prepare(_STATEMENT_NAME, statement.encode()))
        except SQLAlchemyError:
            abandon(self._connection)
            raise

    @property
    def is_late(self) -> bool:
        """Whether an answer is awaited for so long that no further request should wait for it."""
        return bool(self._sent) and time.monotonic() - self._sent_at >= LATE_SECONDS

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
        self._keys = [entry.notification.key for entry in entries]
        return as_json(insert.rows_by_key(self._keys, entries))

    def _flush(self) -> None:
        self._unsent = bool(self._driver.pgconn.flush())

    def _lose(self, error: Exception) -> None:
        """Give up the connection: after an error its state is unknown."""
        if self._is_open:
            self._owner.disconnected(self, *self.end(), error)

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
            self._note_results(completed)
            self._sent, self._waiting, self._results = [], [], []
            if waiting:
                self.send(*waiting)  # the server has something to do while we answer
            self._owner.succeed(completed)

    def handle_write_event(self) -> None:
        """Go on sending."""
        self.handle_read_event()

    def handle_expt_event(self) -> None:
        """Ignore urgent data: PostgreSQL sends none."""

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


@cache
def push_statement(dialect: Dialect) -> str:
    """Return an INSERT of any number of rows that are one parameter ``$1``, as JSON; it returns the new keys.

    So its text is the same for any number. libpq would take an array for each column, which is slower to write.
    """
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - 2 MB that a journal on SQLite does not need

    filled = [each for each in notification.c if each.name in _FILLED]
    types = {each.name: Text() if each.name == "envelope" else each.type for each in filled}
    given = cast(bindparam("rows", type_=Text()), postgresql.JSON)
    rows = func.json_to_recordset(given).table_valued(*(column(name, kind) for name, kind in types.items()))
    rows = rows.render_derived(with_types=True)
    values: dict[str, Any] = {each.name: rows.c[each.name] for each in filled}
    values["envelope"] = func.decode(rows.c.envelope, literal_column("'base64'"))
    statement = (
        postgresql.insert(notification)
        .from_select(list(values), select(*values.values()), include_defaults=False)
        .on_conflict_do_nothing(index_elements=[notification.c.key])
        .returning(notification.c.key)
    )
    return str(statement.compile(dialect=dialect)).replace("%(rows)s", "$1").replace("%%", "%")


_FILLED: Final = (
    *("key", "account", "kind", "state", "source", "message_id", "originator", "payload", "envelope"),
    *("received_at", "due_at", "attempts", "delete_attempts"),
)
"""The columns of a new row (``insert``)."""


def as_json(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return rows as the one parameter of the statement."""
    return json.dumps([_plain(row) for row in rows.values()], ensure_ascii=False)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    envelope = row["envelope"]
    received_at = to_number(row["received_at"])
    return {
        **row,
        "envelope": None if envelope is None else b64encode(envelope).decode(),
        "received_at": received_at,
        "due_at": received_at,
    }


@contextmanager
def _as_sqlalchemy_error() -> Iterator[None]:
    """Have errors of the driver look as those that SQLAlchemy raises."""
    from psycopg import Error  # noqa: PLC0415 - installed only with the extra

    try:
        yield
    except Error as error:
        raise DBAPIError.instance(None, None, error, Error, hide_parameters=True) from error


def _check(result: PGresult) -> None:
    """Raise what the server says, if it is an error."""
    from psycopg import errors, pq  # noqa: PLC0415 - installed only with the extra

    if result.status not in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
        raise errors.error_from_result(result)
