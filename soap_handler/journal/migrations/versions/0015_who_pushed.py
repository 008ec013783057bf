"""From which address and in which version of the API each push came, the first one and its duplicates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the columns, empty: of earlier pushes it is not known."""
    for table in ("notification", "attempt"):
        op.add_column(table, sa.Column("caller", sa.Text))
        op.add_column(table, sa.Column("api", sa.Text))
