"""The tables of the journal. ``migrate`` makes them; ``insert``, ``claim``, ``order`` and ``settle`` use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
    and_,
    bindparam,
    event,
    literal_column,
)

from soap_handler.journal.execute import Instant
from soap_handler.journal.records import State

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, FromClause

NO_LEASE: Final = literal_column("-1", Instant())
"""The ``leased_at`` of a row that a claim has found and that no claim holds."""

# SQLite assigns row numbers only to a column of type INTEGER, which is 64 bits wide there.
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
    # When it may be claimed: now, after a back-off, or when the present lease runs out. By the queue's clock; all other
    # times are of the wall clock, for people.
    Column("due_at", Instant),
    Column("owner", Text),  # the name of the claim that holds the lease
    Column("leased_at", Instant),  # NULL until a claim finds the row, and NO_LEASE after that while no claim holds it
    Column("attempts", Integer, nullable=False, default=0),
    Column("delete_attempts", Integer, nullable=False, default=0),
    Column("handled_at", Instant),
    Column("done_at", Instant),
    Column("parked_at", Instant),  # since when it is blocked by another of its originator; due_at is then a re-check
    Column("erased_at", Instant),  # the content is gone; the row stays so that a copy is still recognised
    Column("trace_context", Text),  # the span of its push, where traces are on
    Column("caller", Text),  # the address from which it was pushed; NULL where it was not, or by a former release
    Column("api", Text),  # the version of the API in which it was pushed (faces/origin.py); NULL as that is
)


def in_state(state: State, table: FromClause = notification) -> ColumnElement[bool]:
    """Return the condition "is in this state", as a literal: a partial index serves no parameter."""
    return table.c.state == literal_column(f"'{state.value}'")


def unseen(table: FromClause = notification) -> ColumnElement[bool]:
    """Return the condition "received and unseen": no claim has found the row yet."""
    return and_(in_state(State.RECEIVED, table), table.c.leased_at.is_(None))


SEQ_IN: Final = notification.c.seq.in_(bindparam("seqs", expanding=True))
"""The condition "is one of these rows", whose numbers are the parameter ``seqs``."""

# Partial indexes: the work to do is a small part of a long history, and these hold only that part. So a claim costs the
# same whether ten or ten million notifications are done. Their order is that of a claim, down to the row's number:
# without the number, PostgreSQL may sort the whole backlog.
to_handle = Index("ix_notification_to_handle", notification.c.due_at, notification.c.seq)
to_delete = Index("ix_notification_to_delete", notification.c.account, notification.c.due_at, notification.c.seq)
dead = Index("ix_notification_dead", notification.c.seq)
# Two indexes for the order of an originator. A row enters the index by originator only after a claim has met it: an
# entry at a random place for each push would add a sixth to the cost of storing it. Rows that no claim has met are few
# and are found by number. An engine uses a partial index only where the query repeats its condition.
unseen_rows = Index("ix_notification_untouched", notification.c.seq)
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
    (unseen_rows, unseen()),
    (
        in_order,
        and_(
            in_state(State.RECEIVED),
            notification.c.originator.is_not(None),
            notification.c.leased_at.is_not(None),
        ),
    ),
)


@event.listens_for(metadata, "before_create")
def _hold_only_the_work(_target: MetaData, connection: Connection, **_: object) -> None:
    # The conditions are set for the present engine only: naming another one would load all of its dialect.
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
    # Of another push that says more than the first one did; of a failed attempt, the frames of its error.
    Column("envelope", LargeBinary),
    Column("times", Integer, nullable=False, server_default="1"),  # failed deletes alike, or pushes, that are one row
    Column("caller", Text),  # of another push, as in the notification
    Column("api", Text),
)

reconciliation = Table(
    "reconciliation",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("account", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),  # NULL while it runs, and for ever when its process died
    Column("inbox", Integer, nullable=False),
    Column("known", Integer, nullable=False),
    Column("recovered", Integer, nullable=False),
    Column("deleted_again", Integer, nullable=False),
    Column("left_alone", Integer, nullable=False),
    Column("unreadable", Integer, nullable=False),
    Column("error", Text),
)
Index("ix_reconciliation_account", reconciliation.c.account, reconciliation.c.started_at)

inbox_gate = Table(
    "inbox_gate",
    metadata,
    Column("account", Text, primary_key=True),
    Column("refusals", Integer, nullable=False),  # 0: a first call is finding out whether EMS accepts the login
    Column("retry_at", Instant, nullable=False),  # no other call before
    Column("owner", Text),  # who makes the call that finds out
    Column("login", Text),  # a salted, slow hash of the login that was refused
    Column("reason", Text),
    Column("refused_at", Instant),  # since when it is refused
)

account_name = Table(
    "account_name",
    metadata,
    Column("name", Text, primary_key=True),  # a reference of an account, now or formerly, as it was spelt
    Column("searched_to", BigInteger, nullable=False),  # up to this row, none of a former reference is left
)

erasure = Table(
    "erasure",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("digest", Text, nullable=False),  # a salted, slow hash of the number: it can be compared, and not read
    Column("account", Text),  # NULL: in all accounts
    Column("who", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),  # NULL while it runs, and for ever when its process died
    Column("notifications", Integer, nullable=False, server_default="0"),
    Column("waiting", Integer, nullable=False, server_default="0"),
    Column("mentions", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("reconciliations", Integer, nullable=False, server_default="0"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("begun_at", Instant, nullable=False),  # committed before the action
    Column("ended_at", Instant),  # NULL while it goes on, and for ever when its process died
    Column("who", Text, nullable=False),
    Column("caller", Text),  # the address, where the order came over the network
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),  # the filter, without phone numbers
    Column("notifications", Integer),  # how many there were
    Column("error", Text),
)
