"""The references of accounts under which the journal has rows, so that a renamed account finds its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the table, and fill it with the references that there are."""
    op.create_table(
        "account_name",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("searched_to", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO account_name (name, searched_to) SELECT DISTINCT account, 0 FROM notification")
