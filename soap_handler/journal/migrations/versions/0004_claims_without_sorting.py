"""The indexes of the work to do end with the row's number, which a claim orders by last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make both indexes anew. Without the number, PostgreSQL may read and sort the whole backlog for each claim."""
    for name, columns, state in (
        ("ix_notification_to_handle", ["due_at", "seq"], "received"),
        ("ix_notification_to_delete", ["account", "due_at", "seq"], "handled"),
    ):
        where = sa.text(f"state = '{state}'")
        op.drop_index(name, "notification")
        op.create_index(name, "notification", columns, sqlite_where=where, postgresql_where=where)
