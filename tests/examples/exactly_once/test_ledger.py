"""The example of effects exactly once, tested as its author would."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from tests.examples.exactly_once import ledger

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.testing import StartService


def test_an_attempt_that_fails_leaves_nothing(soap_handler_service: StartService, tmp_path: Path) -> None:
    """Each attempt opens a balance before it fails at what is no number: none of them stays."""
    with closing(sqlite3.connect(tmp_path / "soap-handler.db")) as database:
        service = soap_handler_service(ledger.handlers, handler={"max_attempts": 3})
        database.execute(ledger.TABLE)
        booked = [service.receive("40"), service.receive("2")]
        wrong = service.receive("forty-two", originator="447700900002")
        service.wait_until_done(*booked)
        service.wait_until_dead(wrong)
        rows = database.execute("SELECT * FROM balance").fetchall()
    assert len(service.errors(wrong)) == 3
    assert rows == [(booked[0].originator, 42)]
