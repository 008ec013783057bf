"""The runs that compared an inbox with the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the table of the runs."""
    op.create_table(
        "reconciliation",
        sa.Column("id", _number, primary_key=True, autoincrement=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("inbox", sa.Integer, nullable=False),
        sa.Column("known", sa.Integer, nullable=False),
        sa.Column("recovered", sa.Integer, nullable=False),
        sa.Column("deleted_again", sa.Integer, nullable=False),
        sa.Column("left_alone", sa.Integer, nullable=False),
        sa.Column("unreadable", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
    )
    op.create_index("ix_reconciliation_account", "reconciliation", ["account", "started_at"])
