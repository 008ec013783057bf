"""The tables of the journal. How they come to be is in ``migrations``; what is done with them, in ``verbs``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    and_,
    bindparam,
    event,
    literal_column,
    or_,
)

from soap_handler.journal.records import State

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Dialect, FromClause

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as whole microseconds since 1970: the same number in every engine, and cheap."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """Turn a datetime into its number."""
        return stored(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002 - likewise
        """Turn the number back into a datetime."""
        return None if value is None else instant(value)


def stored(value: datetime | None) -> int | None:
    """Return an instant as a column of the type :class:`Instant` holds it."""
    return None if value is None else (value - _EPOCH) // _MICROSECOND


def instant(number: int) -> datetime:
    """Return the instant that such a column holds."""
    return _EPOCH + timedelta(microseconds=number)


# SQLite gives out row numbers by itself only for INTEGER, which is 64 bits wide there.
_Number = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

notification = Table(
    "notification",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("message_id", Text),
    Column("originator", Text),
    Column("payload", Text, nullable=False),
    Column("envelope", LargeBinary),
    Column("received_at", Instant, nullable=False),
    Column("due_at", Instant),  # when it may be claimed: now, after a back-off, or when the present lease runs out
    Column("owner", Text),  # who holds the lease
    Column("leased_at", Instant),
    Column("attempts", Integer, nullable=False, default=0),
    Column("delete_attempts", Integer, nullable=False, default=0),
    Column("handled_at", Instant),
    Column("done_at", Instant),
    Column("parked_at", Instant),  # since when it waits behind another of its originator; then due_at is only a look
    Column("erased_at", Instant),  # what it said is gone; the row stays so that a copy is still recognised
)


def in_state(state: State, table: FromClause = notification) -> ColumnElement[bool]:
    """Return the condition "is in this state", as a literal: only then does a partial index serve it."""
    return table.c.state == literal_column(f"'{state.value}'")


def untouched(table: FromClause = notification) -> ColumnElement[bool]:
    """Return the condition "has yet to be handled, and is as it was stored": due since it was received, never leased.

    Whoever puts it off or gives it back sets another time; should that be the very microsecond, it counts as new again,
    which is as good: nobody has it.
    """
    return and_(in_state(State.RECEIVED, table), table.c.leased_at.is_(None), table.c.due_at == table.c.received_at)


THESE: Final = notification.c.seq.in_(bindparam("seqs", expanding=True))
"""The condition of being one of several rows, given as ``seqs``."""

# Work to do is a small part of a long history: these indexes hold only that part, so that a claim costs the same
# whether ten or ten million notifications are done. They are in the order in which a claim takes it, the row's number
# included: PostgreSQL may sort the whole backlog otherwise.
to_handle = Index("ix_notification_to_handle", notification.c.due_at, notification.c.seq)
to_delete = Index("ix_notification_to_delete", notification.c.account, notification.c.due_at, notification.c.seq)
dead = Index("ix_notification_dead", notification.c.seq)
# What waits is found by its originator only once a claim has met it: until then it is one of few, and an entry at a
# random place for each push would cost a sixth of what it costs to store it. Both engines use an index only where they
# see that the question asks for nothing outside of it, which is why the first one begins with the state.
untouched_ones = Index("ix_notification_untouched", notification.c.seq)
in_order = Index(
    "ix_notification_in_order",
    notification.c.account,
    notification.c.originator,
    notification.c.leased_at,
    notification.c.seq,
)
_CONDITIONS: Final = (
    (to_handle, in_state(State.RECEIVED)),
    (to_delete, in_state(State.HANDLED)),
    (dead, in_state(State.DEAD)),
    (untouched_ones, untouched()),
    (
        in_order,
        and_(
            in_state(State.RECEIVED),
            notification.c.originator.is_not(None),
            or_(notification.c.leased_at.is_not(None), notification.c.due_at != notification.c.received_at),
        ),
    ),
)


@event.listens_for(metadata, "before_create")
def _hold_only_the_work(_target: MetaData, connection: Connection, **_: object) -> None:
    # Said when the tables are made, and only to the engine at hand: to name another loads all of its dialect.
    for index, condition in _CONDITIONS:
        index.dialect_options[connection.dialect.name]["where"] = condition


attempt = Table(
    "attempt",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("seq", _Number, ForeignKey("notification.seq", ondelete="CASCADE"), nullable=False, index=True),
    Column("step", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("error", Text),
    Column("owner", Text, nullable=False),
)

reconciliation = Table(
    "reconciliation",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("account", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),  # absent while it is under way, and for ever when its process died
    Column("inbox", Integer, nullable=False),
    Column("known", Integer, nullable=False),
    Column("recovered", Integer, nullable=False),
    Column("deleted_again", Integer, nullable=False),
    Column("left_alone", Integer, nullable=False),
    Column("unreadable", Integer, nullable=False),
    Column("error", Text),
)
Index("ix_reconciliation_account", reconciliation.c.account, reconciliation.c.started_at)
