"""One gate for the login of an inbox, and one row for deletes that fail alike."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"


def upgrade() -> None:
    """Create the table of the gates, and count the attempts that a row stands for."""
    op.add_column("attempt", sa.Column("times", sa.Integer, nullable=False, server_default="1"))
    op.create_table(
        "inbox_gate",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("refusals", sa.Integer, nullable=False),
        sa.Column("retry_at", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("login", sa.Text),
        sa.Column("reason", sa.Text),
    )
