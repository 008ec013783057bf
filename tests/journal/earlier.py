"""A journal of an earlier release: tables as its migrations left them, with the rows of a journal of today."""

from __future__ import annotations

from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, Table, create_engine, select, text

from soap_handler.journal import migrate
from soap_handler.journal.schema import metadata, notification


def taken_back(url: str, revision: str) -> None:
    """Give the journal at a URL the tables of a revision; what stays is the notifications."""
    engine = create_engine(url)
    with engine.begin() as connection:
        rows = [dict(row) for row in connection.execute(select(notification)).mappings()]
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        config = Config()
        config.set_main_option("script_location", str(migrate.SCRIPTS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        table = Table("notification", MetaData(), autoload_with=connection)
        connection.execute(table.insert(), [_as_before(row, table) for row in rows])
    engine.dispose()


def _as_before(row: dict[str, Any], table: Table) -> dict[str, Any]:
    """Return the values of a row that the table has a column for, as numbers."""
    raw = {name: notification.c[name].type for name in row}
    values = {}
    for name, value in row.items():
        if name in table.c:
            bind = getattr(raw[name], "process_bind_param", None)
            values[name] = bind(value, None) if bind is not None else value
    if values.get("leased_at") == -1:  # no such mark before
        values["leased_at"] = None
    return values
