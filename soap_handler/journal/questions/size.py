"""How much room the journal takes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from soap_handler.journal.schema import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

_OF_TABLES: Final = text(
    "SELECT sum(pg_total_relation_size(to_regclass(name))) FROM unnest(CAST(:names AS text[])) AS name"
)


def size(connection: Connection) -> int:
    """Return the bytes of the journal: on SQLite its files, on PostgreSQL its tables with their indexes."""
    if connection.dialect.name == "postgresql":
        return int(connection.scalar(_OF_TABLES, {"names": [table.name for table in metadata.sorted_tables]}) or 0)
    pages, bytes_of_page = (
        connection.exec_driver_sql(f"PRAGMA {each}").scalar() for each in ("page_count", "page_size")
    )
    with suppress(OSError):  # no log, or none that this user may see
        log = Path(f"{connection.engine.url.database}-wal").stat().st_size
        return int(pages or 0) * int(bytes_of_page or 0) + log
    return int(pages or 0) * int(bytes_of_page or 0)
