"""What a verb has of its connection: the seam to the driver, the type of the journal's times, the clock of due times.

Statements that run for each notification go through :func:`execute` and :func:`query`: by SQLAlchemy, or by a quicker
executor. All others use SQLAlchemy directly. Executor and clock are execution options of the engine.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import BigInteger, TypeDecorator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, Dialect, Engine, Executable

    from soap_handler.clock import QueueClock

    Values: TypeAlias = Mapping[str, Any]
    """Parameters of one execution by name, as the types of their columns take them."""

    Verb: TypeAlias = Callable[[Connection, Sequence[Any]], Sequence[Any]]
    """What to do in a transaction: takes the arguments of all its requests, returns their results in that order."""

EXECUTOR: Final = "executor"
"""The name of the execution option that holds the :class:`Executor`."""

QUEUE_CLOCK: Final = "queue_clock"
"""The name of the execution option that holds the journal's :class:`QueueClock`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


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


def _executor_of(connection: Connection) -> Executor:
    executor: Executor = connection.get_execution_options().get(EXECUTOR, PLAIN)
    return executor


def queue_now(connection: Connection | Engine) -> datetime:
    """Return the present instant by the clock of due times and leases."""
    queue_clock: QueueClock = connection.get_execution_options()[QUEUE_CLOCK]
    return queue_clock.now()


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as whole microseconds since 1970: one number in both engines, cheap to compare."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """Turn a datetime into its number."""
        return to_number(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """Turn the number back into a datetime."""
        return from_number(value)


def to_number(value: datetime | None) -> int | None:
    """Return the number under which an :class:`Instant` is stored."""
    return None if value is None else (value - _EPOCH) // _MICROSECOND


def from_number(number: int | None) -> datetime | None:
    """Return the instant that is stored under a number."""
    return None if number is None else _EPOCH + timedelta(microseconds=number)
