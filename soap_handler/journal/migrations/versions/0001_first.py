"""The tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create both tables and the indexes of the work to do."""
    op.create_table(
        "notification",
        sa.Column("seq", _number, primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text),
        sa.Column("originator", sa.Text),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("envelope", sa.LargeBinary),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("owner", sa.Text),
        sa.Column("leased_at", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("delete_attempts", sa.Integer, nullable=False),
        sa.Column("handled_at", sa.BigInteger),
        sa.Column("done_at", sa.BigInteger),
    )
    _index_of_state("to_handle", ["due_at"], "received")
    _index_of_state("to_delete", ["account", "due_at"], "handled")
    _index_of_state("dead", ["seq"], "dead")
    op.create_table(
        "attempt",
        sa.Column("id", _number, primary_key=True, autoincrement=True),
        sa.Column("seq", _number, sa.ForeignKey("notification.seq", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("owner", sa.Text, nullable=False),
    )


def _index_of_state(name: str, columns: list[str], state: str) -> None:
    where = sa.text(f"state = '{state}'")
    op.create_index(f"ix_notification_{name}", "notification", columns, sqlite_where=where, postgresql_where=where)
