"""An example without code: each message is a row of a table of yours, in the columns that it has."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from soap_handler.ems import Disturbances

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.testing import StartService

TABLE = "CREATE TABLE inbox (sms_key TEXT PRIMARY KEY, sender TEXT, text TEXT)"
COLUMNS = {"key": "sms_key", "originator": "sender", "body": "text"}


def test_each_message_becomes_a_row(soap_handler_service: StartService, tmp_path: Path) -> None:
    """One row, though EMS pushes each twice."""
    with closing(sqlite3.connect(tmp_path / "crm.db")) as database:
        database.execute(TABLE)
        sink = {"type": "sql", "url": f"sqlite:///{tmp_path / 'crm.db'}", "table": "inbox", "columns": COLUMNS}
        service = soap_handler_service(sink=sink)
        service.ems.push_disturbances = Disturbances(duplicates=1)
        first = service.receive("Yes please", originator="447700900001")
        second = service.receive("No", originator="447700900002")
        service.wait_until_done()
        assert service.ems.wait_until_quiet(10)
        rows = database.execute("SELECT * FROM inbox ORDER BY sender").fetchall()
    assert rows == [(first.key, "447700900001", "Yes please"), (second.key, "447700900002", "No")]
