"""The seam between the frequent statements and the database driver: SQLAlchemy here, or a quicker executor.

Statements that run for each notification go through :func:`execute` and :func:`query`. All others use SQLAlchemy
directly. Which executor a connection has is an execution option of its engine, set by ``Journal(execute=...)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Executable

    from soap_handler.clock import QueueClock

    Values: TypeAlias = Mapping[str, Any]
    """Parameters of one execution by name, as the types of their columns take them."""

    Verb: TypeAlias = Callable[[Connection, Sequence[Any]], Sequence[Any]]
    """What to do in a transaction: takes the arguments of all its requests, returns their results in that order."""

EXECUTOR: Final = "executor"
"""The name of the execution option that holds the :class:`Executor`."""

QUEUE_CLOCK: Final = "queue_clock"
"""The name of the execution option that holds the journal's :class:`QueueClock`."""


class Executor:
    """The plain executor: SQLAlchemy, with all that it does for each statement and each row.

    A quicker one takes the same values and returns the same results.
    """

    def execute(self, connection: Connection, statement: Executable, rows: Sequence[Values]) -> int:
        """Execute a statement once for each row of values; return how many rows of the database changed."""
        return connection.execute(statement, rows, execution_options={"preserve_rowcount": True}).rowcount

    def query(self, connection: Connection, statement: Executable, values: Values | Sequence[Values]) -> Sequence[Any]:
        """Execute a statement and return its rows."""
        return connection.execute(statement, values).all()


PLAIN: Final = Executor()
"""The executor of a journal that is not told another."""


def execute(connection: Connection, statement: Executable, rows: Sequence[Values]) -> int:
    """Execute a statement once for each row of values; return how many rows of the database changed."""
    return _executor_of(connection).execute(connection, statement, rows) if rows else 0


def query(connection: Connection, statement: Executable, values: Values | Sequence[Values]) -> Sequence[Any]:
    """Execute a statement and return its rows; an ``INSERT … RETURNING`` takes several rows of values."""
    return _executor_of(connection).query(connection, statement, values)


def queue_now(connection: Connection | Engine) -> datetime:
    """Return the present instant by the clock of due times and leases."""
    queue_clock: QueueClock = connection.get_execution_options()[QUEUE_CLOCK]
    return queue_clock.now()


def _executor_of(connection: Connection) -> Executor:
    executor: Executor = connection.get_execution_options().get(EXECUTOR, PLAIN)
    return executor
