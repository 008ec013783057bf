"""Transaction: a handler's own writes and the settling of its notification, committed together or not at all.

SQLite's writer lock is taken by the first statement, not before: a handler may be slow until then. When to settle is
decided in ``dispatch``.

Handlers must not end the transaction. Statements that would are refused by their text. That text cannot tell of
everything (the driver's own ``commit()``), so each transaction begins with a savepoint: ending a transaction removes
its savepoints, and settling looks for this one. What such a handler wrote is committed; the attempt fails, and says so.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from soap_handler import telemetry
from soap_handler.errors import JournalUnavailableError, TransactionError
from soap_handler.journal.databases.engine import abandon, begin_late
from soap_handler.journal.databases.errors import reason
from soap_handler.journal.databases.sqlite import LATE
from soap_handler.journal.databases.sqlite_transaction import trust
from soap_handler.journal.execute import EXECUTOR, PLAIN
from soap_handler.journal.settle import settle

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from soap_handler.journal.announcer import Announcer
    from soap_handler.journal.records import Settlement

_ENDS: Final = re.compile(
    r"(?i)(?:\s|;|--[^\n]*|/\*[\s\S]*?\*/)*"  # blanks and comments before the first word
    r"(commit|end|begin|start\s+transaction|abort|prepare\s+transaction|rollback(?!(\s+\w+)?\s+to\b))\b"
)
_SAVEPOINT: Final = "soap_handler_begin"
_NO_SUCH_SAVEPOINT: Final = ("3B001", "25P01")  # SQLSTATE: invalid savepoint, no transaction
_NOT_YOURS: Final = (
    "a transactional handler must not commit, roll back or close its connection: returning commits, raising rolls "
    "back; begin_nested() makes a part that can be rolled back alone"
)
_GIVEN_UP: Final = "the handler was given up, and its transaction rolled back"
_INTERRUPT_SECONDS: Final = 2.0  # for an interrupted statement to end


class Transaction:
    """A connection for one handler's call. Unless :meth:`settle` says true, nothing that was done on it remains.

    It watches SQLAlchemy's events on its own connection, so its statements always take the plain executor.
    """

    def __init__(self, engine: Engine, seconds: float, announcer: Announcer) -> None:
        """Connect. ``announcer`` is told of the commit.

        ``seconds`` is how long the handler may take; PostgreSQL ends a transaction that is idle for longer.

        Raises:
            JournalUnavailableError: the database is out of reach.
        """
        self._announcer = announcer
        self._seconds = seconds
        self._begun = False
        self._is_ending = False  # whether this class itself is ending the transaction
        self._broken = False  # whether the state of the connection is unknown
        self._given_up = False
        self._closed = False
        self._closing = threading.Lock()
        self._statement = threading.RLock()  # held by the handler's thread while a statement runs
        self._running = 0
        self._driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
        options = {**LATE, "on_error": self._after, EXECUTOR: PLAIN}
        try:
            self.connection = engine.connect().execution_options(**options)
        except (SQLAlchemyError, OSError) as error:
            raise JournalUnavailableError(f"the journal is out of reach: {reason(error)}") from error
        self._driver: Any = self.connection.connection.driver_connection
        self._changes = getattr(self._driver, "total_changes", 0)
        self._transaction = self.connection.begin()
        if not isinstance(self._driver, sqlite3.Connection):  # it has no lock that would be held too early
            self._begin_at_once()
        event.listen(self.connection, "before_cursor_execute", self._before)
        event.listen(self.connection, "after_cursor_execute", self._after)
        event.listen(self.connection, "commit", self._refuse)
        event.listen(self.connection, "rollback", self._refuse)

    def _begin_at_once(self) -> None:
        try:
            self._begin()
        except JournalUnavailableError:
            abandon(self.connection)
            raise

    def _begin(self) -> None:
        """Begin at the database, with the savepoint by which an end is noticed."""
        try:
            begin_late(self.connection, self._seconds)
            self._execute(f"SAVEPOINT {_SAVEPOINT}")
        except (SQLAlchemyError, self._driver_error, OSError) as error:
            self._broken = True
            raise JournalUnavailableError(f"the transaction cannot begin: {reason(error)}") from error
        self._begun = True

    def _execute(self, statement: str) -> None:
        """Execute a statement of our own, past SQLAlchemy and its events."""
        cursor = self._driver.cursor()
        try:
            cursor.execute(statement)
        finally:
            cursor.close()

    def _was_ended(self) -> bool:
        """Whether the transaction was ended behind SQLAlchemy's back; else take back the savepoint."""
        if not self._begun:  # SQLite: what goes past SQLAlchemy now is committed statement by statement
            return bool(self._driver.in_transaction or self._driver.total_changes != self._changes)
        try:
            self._execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")
        except self._driver_error as error:
            if getattr(error, "sqlstate", None) in _NO_SUCH_SAVEPOINT or "no such savepoint" in str(error):
                return True
            raise DBAPIError.instance(None, None, error, self._driver_error, hide_parameters=True) from error
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Roll back what was not settled, and give back the connection."""
        with self._closing:
            self._closed = True
        with self._statement:
            self._is_ending = True
            try:
                if self._broken or self._given_up:
                    self.connection.invalidate()
                self.connection.close()
            except (SQLAlchemyError, self._driver_error, OSError) as error:
                telemetry.emit("transaction_connection_lost", error=type(error).__name__)

    def settle(self, settlement: Settlement) -> bool:
        """Settle and commit; return false, with nothing of it done, where the lease had been lost.

        Raises:
            TransactionError: the handler ended the transaction itself.
            JournalUnavailableError: there was no commit, as far as can be known.
        """
        self._is_ending = True
        if self._broken or not self._transaction.is_active or self.connection.closed:
            raise TransactionError(_NOT_YOURS)
        try:
            if self._was_ended():
                self._broken = True
                raise TransactionError(_NOT_YOURS)
            ((held,),) = settle(self.connection, [[settlement]])
            if held:
                if self._announcer.notifies:
                    self._announcer.before_commit(self.connection)
                self._transaction.commit()
                trust(self.connection)
        except JournalUnavailableError:
            self._broken = True
            raise
        except (SQLAlchemyError, self._driver_error, OSError) as error:
            self._broken = True
            raise JournalUnavailableError(f"the transaction could not be committed: {reason(error)}") from error
        if held:
            self._announcer.after_commit()
        return held

    def give_up(self) -> None:
        """Roll back although the handler is still running, so that its lock is free. Any thread may call it.

        On PostgreSQL there is no such lock, and the server ends the session when it has been idle for too long.
        """
        self._given_up = True
        if not isinstance(self._driver, sqlite3.Connection):
            return
        with self._closing:
            if self._closed:
                return
            self._driver.interrupt()
        if not self._statement.acquire(timeout=_INTERRUPT_SECONDS):
            telemetry.emit("transaction_not_ended")
            return
        try:
            if not self._closed:
                self._driver.rollback()
        except sqlite3.Error as error:
            telemetry.emit("transaction_not_ended", error=type(error).__name__)
        finally:
            self._statement.release()

    def _before(self, _connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if not self._is_ending and _ENDS.match(statement):
            self._refuse()
        self._statement.acquire()
        self._running += 1
        if self._given_up:
            self._after()
            raise TransactionError(_GIVEN_UP)
        if not self._begun:
            try:
                self._begin()
            except JournalUnavailableError:
                self._after()
                raise

    def _after(self, *_: object) -> None:
        if self._running:
            self._running -= 1
            self._statement.release()

    def _refuse(self, *_: object) -> None:
        if not self._is_ending:
            self._broken = True
            raise TransactionError(_NOT_YOURS)
