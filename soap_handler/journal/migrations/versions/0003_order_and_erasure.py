"""The order of one originator's notifications, and the mark of what was erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the marks of what is parked and erased, and the index that tells who is first."""
    op.add_column("notification", sa.Column("parked_at", sa.BigInteger))
    op.add_column("notification", sa.Column("erased_at", sa.BigInteger))
    where = sa.text("state = 'received' AND originator IS NOT NULL")
    columns = ["account", "originator", "leased_at", "seq"]
    op.create_index("ix_notification_in_order", "notification", columns, sqlite_where=where, postgresql_where=where)
