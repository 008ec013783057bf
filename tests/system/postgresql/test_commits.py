"""Pushes alone are one statement on PostgreSQL, which commits by itself: no less durable, and no less told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from soap_handler.errors import JournalRefusedError
from soap_handler.journal import Entry, Journal, Selection
from tests.journal.entries import LEASE, START, Clock, entry, message

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tests.journal.engines import PostgreSQL

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


def test_pushes_need_no_transaction_around_them(url: str, beside: Engine) -> None:
    """One round trip in place of three: no session has begun or committed anything for them."""
    with Journal(url, clock=Clock()) as journal:
        with beside.connect() as connection:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'soap_handler'"
            connection.execute(text(ended))  # the sessions that made the tables, whose last word was COMMIT
        assert journal.record_all([entry(1), entry(2), entry(1)]) == [True, True, False]
        assert "COMMIT" not in last_statements(beside)
        assert len(journal.claim(5, LEASE)) == 2
        assert "COMMIT" in last_statements(beside)


def test_a_commit_that_fails_at_the_very_end_is_told(url: str, beside: Engine) -> None:
    """The statement has gone well, and its commit fails: nothing is stored, and nobody is told that it was."""
    with Journal(url) as journal:
        with beside.connect() as connection:
            for statement in REFUSE_LATE:
                connection.execute(text(statement))
        for number in range(10):  # by now the driver has prepared the statement, which is another way to execute it
            assert journal.record_all([entry(number)]) == [True]
        with pytest.raises(JournalRefusedError, match="too late"):
            journal.record_all([entry(10), Entry(message(11, originator="refused"), START)])
        assert len(journal.records(Selection())) == 10
        assert journal.record_all([entry(9), entry(10)]) == [False, True]
