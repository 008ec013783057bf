"""Due times are of a clock of their own, so that a row which no claim has met is no longer known by its times."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Mark the rows that a claim has met, and add the tables of the clock and of the purge."""
    for name in ("ix_notification_in_order", "ix_notification_untouched"):
        op.drop_index(name, "notification")
    op.execute(
        "UPDATE notification SET leased_at = -1 "
        "WHERE state = 'received' AND leased_at IS NULL AND due_at != received_at"
    )
    for name, columns, condition in (
        ("untouched", ["seq"], "leased_at IS NULL"),
        (
            "in_order",
            ["account", "originator", "leased_at", "seq"],
            "originator IS NOT NULL AND leased_at IS NOT NULL",
        ),
    ):
        where = sa.text(f"state = 'received' AND {condition}")
        op.create_index(f"ix_notification_{name}", "notification", columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "queue_clock",
        sa.Column("boot", sa.Text, primary_key=True),
        sa.Column("zero", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "purge_mark",
        sa.Column("id", _number, primary_key=True, autoincrement=True),
        sa.Column("marked_at", sa.BigInteger, nullable=False),
        sa.Column("passed", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
    )
