"""One form of GUIDs in keys and ids, and a place in the history for what another push of a message said."""

from __future__ import annotations

import json
import re

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_GUID = re.compile(
    r"(?:urn:)?(?:uuid:)?[{(]?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})[)}]?", re.ASCII
)
_CHARACTERS = 36  # of a GUID in its canonical form
_ZERO = "00000000-0000-0000-0000-000000000000"
_table = sa.table("notification", *map(sa.column, ("seq", "key", "message_id", "payload")))


def upgrade() -> None:
    """Add the column, and write ids of other forms in the canonical one. A row whose new key is taken stays."""
    op.add_column("attempt", sa.Column("envelope", sa.LargeBinary()))
    connection = op.get_bind()
    other_form = sa.func.length(_table.c.message_id).between(32, 48) & (
        sa.func.length(_table.c.message_id) != _CHARACTERS
    )
    for row in connection.execute(sa.select(_table).where(other_form)).all():
        _rewrite(connection, row)


def _rewrite(connection: sa.Connection, row: sa.Row[tuple[int, str, str, str]]) -> None:
    guid = _GUID.fullmatch(row.message_id)
    identity = "-".join(guid.groups()) if guid else _ZERO
    account, kind, *rest = row.key.split("/")
    if identity == _ZERO or not rest:
        return
    key = "/".join((account, kind, identity, *rest[1:]))
    if connection.scalar(sa.select(_table.c.seq).where(_table.c.key == key)) is not None:
        return
    payload = json.dumps({**json.loads(row.payload), "id": identity}, separators=(",", ":"))
    values = {"key": key, "message_id": identity, "payload": payload}
    connection.execute(sa.update(_table).where(_table.c.seq == row.seq).values(**values))
