"""The record of erasures: which number, by a digest, how much, when and by whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_COUNTS = ("notifications", "waiting", "mentions", "attempts", "reconciliations")


def upgrade() -> None:
    """Create the table; erasures of before are in no record."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "erasure",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("account", sa.Text),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        *(sa.Column(name, sa.Integer, nullable=False, server_default="0") for name in _COUNTS),
    )
