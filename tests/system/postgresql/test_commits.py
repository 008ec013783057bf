"""A commit that fails at its very end, and what sessions executed last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from soap_handler.errors import JournalRefusedError
from soap_handler.journal import Entry, Journal, Selection
from tests.journal.entries import START, entry, message

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tests.journal.engines import PostgreSQL
    from tests.journal.ways import Way

REFUSE_LATE = (
    """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.originator = 'refused' THEN RAISE EXCEPTION 'too late'; END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER at_the_commit AFTER INSERT ON notification
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()
    """,
)
"""Have a commit fail, after all of its statements went well."""


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    return postgresql.database()


def last_statements(engine: Engine) -> set[str]:
    """Return the first word of what each session of the journal executed last."""
    query = "SELECT query FROM pg_stat_activity WHERE application_name = 'soap_handler' AND state = 'idle'"
    with engine.connect() as connection:
        return {statement.split()[0] for statement in connection.execute(text(query)).scalars() if statement}


def test_a_commit_that_fails_at_the_very_end_is_told(url: str, beside: Engine, way: Way) -> None:
    """The statement has gone well, and its commit fails: that is told, and what came with it is stored alone."""
    with Journal(url, **way) as journal:
        with beside.connect() as connection:
            for statement in REFUSE_LATE:
                connection.execute(text(statement))
        for number in range(10):  # by now the driver has prepared the statement, which is another way to execute it
            assert journal.record_all([entry(number)]) == [True]
        with pytest.raises(JournalRefusedError, match="too late"):
            journal.record_all([entry(10), Entry(message(11, originator="refused"), START)])
        assert len(journal.records(Selection())) == 11
        assert journal.record_all([entry(10), entry(11)]) == [False, True]
