"""SQLite of before 3.35, which has no RETURNING."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event

from soap_handler.journal import Beginning, Entry, Journal, Selection, State, Tally
from tests.journal.entries import LEASE, START, ended, entry, message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.journal.ways import Way

OLD = (3, 34, 1)
ACCOUNT = "EX0000001"


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Have SQLAlchemy believe that SQLite is old, and note each statement: the real one would take RETURNING."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    monkeypatch.setattr(sqlite3, "sqlite_version_info", OLD)
    event.listen(Engine, "before_cursor_execute", note)
    yield found
    event.remove(Engine, "before_cursor_execute", note)


def test_a_journal_works_without_returning(tmp_path: Path, statements: list[str], way: Way) -> None:
    """A proof, pushes, results and a reconciliation use none, in all that SQLAlchemy executes."""
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}", **way) as journal:
        assert journal.prove_writable()
        assert journal.record(entry(1))
        assert journal.record_all([entry(2), Entry(message(3), START)]) == [True, True]
        claims = journal.claim(5, LEASE)
        assert len(claims) == 3
        assert all(journal.settle([ended(claim, State.HANDLED, journal.now()) for claim in claims]))
        journal.settle_deleted(journal.claim_deletions(ACCOUNT, 5))
        first, second = (journal.begin_reconciliation(Beginning(ACCOUNT, START)) for _ in range(2))
        assert (first, second) == (1, 2)
        journal.end_reconciliation(1, Tally(), None)
        assert journal.retry(Selection()) == 0
        assert {record.state for record in journal.records(Selection())} == {State.DONE}
        journal.purge(journal.now() + timedelta(days=1))
    assert statements
    assert [each for each in statements if "RETURNING" in each] == []
