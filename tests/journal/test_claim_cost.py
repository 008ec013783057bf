"""A claim costs the same however long the history is: the indexes of the work to do hold only that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, create_engine, text

from soap_handler.journal import Journal, State, Step, queries, verbs
from soap_handler.journal.engine import open_engine

from .entries import LEASE, START, Clock, ended, entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .engines import PostgreSQL

HISTORY = """
    INSERT INTO notification (key, account, kind, state, source, payload, received_at, attempts, delete_attempts)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
    SELECT 'EX0000001/MessageReceived/' || i, 'EX0000001', 'MessageReceived', 'done', 'push', '{}', i, 1, 1 FROM n
"""
"""So many notifications that are done."""

HANDLING = verbs.ClaimRequest(Step.HANDLE, "me:1", START + LEASE, START + LEASE * 2, 5)
DELETION = verbs.ClaimRequest(Step.DELETE, "me:2", START + LEASE, START + LEASE * 2, 5, "EX0000001")

QUESTIONS: dict[str, Callable[[Connection], object]] = {
    "claim": lambda connection: verbs.claim(connection, [HANDLING]),
    "claim for deletion": lambda connection: verbs.claim(connection, [DELETION]),
    "next handling": queries.next_handling,
    "next deletion": lambda connection: queries.next_deletion(connection, "EX0000001"),
}


def journal_with_history(url: str, rows: int) -> None:
    """Make a journal of so many done notifications, twenty to handle and twenty to delete."""
    Journal(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(HISTORY), {"rows": rows})
    engine.dispose()
    with Journal(url, clock=Clock()) as journal:
        for number in range(40):
            journal.record(entry(number))
        journal.settle([ended(claim, State.HANDLED, START) for claim in journal.claim(20, LEASE)])


def steps(url: str) -> dict[str, int]:
    """Count the steps that SQLite's machine takes for each question."""
    engine = open_engine(url)
    counted = {}
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        for name, question in QUESTIONS.items():
            taken: list[int] = []
            driver.set_progress_handler(lambda taken=taken: taken.append(1), 1)
            assert question(connection)
            driver.set_progress_handler(None, 1)
            counted[name] = len(taken)
    engine.dispose()
    return counted


def test_a_claim_takes_no_more_steps_after_a_long_history(tmp_path: Path) -> None:
    """With ten finished notifications and with a million, the same work is done to find what is due."""
    files = {rows: tmp_path / f"{rows}.db" for rows in (10, 1_000_000)}
    for rows, file in files.items():
        journal_with_history(f"sqlite:///{file}", rows)
    few, many = (steps(f"sqlite:///{file}") for file in files.values())
    assert few == many
    assert max(many.values()) < 2000
    files[1_000_000].unlink()  # it is large, and pytest keeps what tests leave


@pytest.mark.parametrize("name", QUESTIONS)
def test_sqlite_looks_only_where_the_work_is(sqlite_url: str, name: str) -> None:
    """The plan of each question goes over the partial index, and nothing is sorted afterwards."""
    journal_with_history(sqlite_url, 10)
    asked: list[str] = []
    engine = open_engine(sqlite_url)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(asked.append)
        QUESTIONS[name](connection)
        driver.set_trace_callback(None)
        query = next(statement for statement in asked if statement.startswith("SELECT"))
        plan = " ".join(
            row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}".replace(":", r"\:")))
        )
    engine.dispose()
    index = "ix_notification_to_delete" if "delet" in name else "ix_notification_to_handle"
    assert index in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("known", [True, False], ids=["known", "not known"])
@pytest.mark.parametrize("request_", [HANDLING, DELETION], ids=["claim", "claim for deletion"])
def test_postgresql_looks_only_where_the_work_is(
    postgresql: PostgreSQL, request_: verbs.ClaimRequest, *, known: bool
) -> None:
    """PostgreSQL's plan goes over the partial index too, and sorts nothing, or each claim would read a whole backlog.

    That holds when it knows how long the history is, and as well when it has yet to look, as in a burst.
    """
    url = postgresql.database()
    journal_with_history(url, 50_000)
    engine = create_engine(url)
    with engine.begin() as connection:
        if known:
            connection.execute(text("ANALYZE notification"))
        query = verbs._due(request_).compile(engine, compile_kwargs={"literal_binds": True})
        plan = " ".join(connection.execute(text(f"EXPLAIN {query}")).scalars())
    engine.dispose()
    assert "ix_notification_to_" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan
