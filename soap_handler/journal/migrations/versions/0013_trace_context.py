"""The span of a push, so that its notification is one trace across processes and restarts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the column, empty."""
    op.add_column("notification", sa.Column("trace_context", sa.Text))
