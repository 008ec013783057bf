"""Since when EMS refuses an inbox's login."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the time of the first refusal; for a gate that is closed already it stays unknown."""
    op.add_column("inbox_gate", sa.Column("refused_at", sa.BigInteger))
