"""A claim costs the same however long the history is: the indexes of the work to do hold only that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, create_engine, text

from soap_handler.fast.compiled_sql import COMPILED
from soap_handler.journal import Journal, State, Step, order, queries
from soap_handler.journal.claim import ClaimRequest, claim, due
from soap_handler.journal.databases.engine import open_engine
from soap_handler.journal.execute import PLAIN, query
from soap_handler.journal.settle import settle
from tests.journal.engines import statements_of
from tests.journal.entries import LEASE, START, Clock, claim_in_order, ended, entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Executable

    from soap_handler.journal.execute import Executor
    from tests.journal.engines import PostgreSQL

HISTORY = """
    INSERT INTO notification (key, account, kind, state, source, payload, received_at, attempts, delete_attempts)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
    SELECT 'EX0000001/MessageReceived/' || i, 'EX0000001', 'MessageReceived', 'done', 'push', '{}', i, 1, 1 FROM n
"""
"""So many notifications that are done."""

BACKLOG = """
    INSERT INTO notification
        (key, account, kind, state, source, originator, payload, received_at, due_at, attempts, delete_attempts)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
    SELECT 'EX0000001/MessageReceived/' || i, 'EX0000001', 'MessageReceived', 'received', 'push', '4477' || (i % 1000),
        '{}', i, i, 0, 0 FROM n
"""
"""So many that no claim has met yet, of 1,000 originators."""

HANDLING = ClaimRequest(Step.HANDLE, "me:1", START + LEASE, LEASE, 5)
DELETION = ClaimRequest(Step.DELETE, "me:2", START + LEASE, LEASE, 5, "EX0000001")

QUESTIONS: dict[str, Callable[[Connection], object]] = {
    "claim": lambda connection: claim(connection, [HANDLING]),
    "claim for deletion": lambda connection: claim(connection, [DELETION]),
    "next handling": queries.next_handling,
    "next deletion": queries.next_deletions,
}


def make_journal(url: str, statement: str, rows: int) -> None:
    """Make a journal of so many rows that a statement writes."""
    Journal(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement), {"rows": rows})
    engine.dispose()


def journal_with_history(url: str, rows: int) -> None:
    """Make a journal of so many done notifications, twenty to handle and twenty to delete."""
    make_journal(url, HISTORY, rows)
    with Journal(url, clock=Clock()) as journal:
        for number in range(40):
            journal.record(entry(number))
        journal.settle([ended(claim, State.HANDLED, START) for claim in journal.claim(20, LEASE)])


both_ways = pytest.mark.parametrize("executor", [PLAIN, COMPILED], ids=["plain", "fast"])


def steps(url: str, executor: Executor) -> dict[str, int]:
    """Count the steps that SQLite's machine takes for each question."""
    engine = open_engine(url, executor)
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


@both_ways
def test_a_claim_takes_no_more_steps_after_a_long_history(tmp_path: Path, executor: Executor) -> None:
    """With ten finished notifications and with a million, the same work is done to find what is due."""
    files = {rows: tmp_path / f"{rows}.db" for rows in (10, 1_000_000)}
    for rows, file in files.items():
        journal_with_history(f"sqlite:///{file}", rows)
    few, many = (steps(f"sqlite:///{file}", executor) for file in files.values())
    assert few == many
    assert max(many.values()) < 2000
    files[1_000_000].unlink()  # it is large, and pytest keeps what tests leave


@both_ways
@pytest.mark.parametrize("name", QUESTIONS)
def test_sqlite_looks_only_where_the_work_is(sqlite_url: str, name: str, executor: Executor) -> None:
    """The plan of each question goes over the partial index, and nothing is sorted afterwards."""
    journal_with_history(sqlite_url, 10)
    asked: list[str] = []
    engine = open_engine(sqlite_url, executor)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(asked.append)
        QUESTIONS[name](connection)
        driver.set_trace_callback(None)
        asked_first = next(statement for statement in asked if statement.startswith(("SELECT", "WITH RECURSIVE")))
        explained = connection.execute(text(f"EXPLAIN QUERY PLAN {asked_first}".replace(":", r"\:")))
        plan = " ".join(row.detail for row in explained)
    engine.dispose()
    index = "ix_notification_to_delete" if "delet" in name else "ix_notification_to_handle"
    assert index in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("known", [True, False], ids=["known", "not known"])
@pytest.mark.parametrize("request_", [HANDLING, DELETION], ids=["claim", "claim for deletion"])
def test_postgresql_looks_only_where_the_work_is(
    postgresql: PostgreSQL, request_: ClaimRequest, *, known: bool
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
        question = due(request_.step, of_account=request_.account is not None)
        values = {"_now": request_.now, "_limit": request_.limit}
        asked = question.params(**values, **({"_account": request_.account} if request_.account else {}))
        wording = asked.compile(engine, compile_kwargs={"literal_binds": True})
        plan = " ".join(connection.execute(text(f"EXPLAIN {wording}")).scalars())
    engine.dispose()
    assert "ix_notification_to_" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan


def journal_with_backlog(url: str, rows: int) -> None:
    """Make a journal in which so many wait; the first of them have been met by a claim, and some have been handled."""
    make_journal(url, BACKLOG, rows)
    with Journal(url, clock=Clock()) as journal:
        journal.settle([ended(each, State.HANDLED, START) for each in claim_in_order(journal, 20)[:10]])


@both_ways
def test_who_comes_first_takes_no_more_steps_before_a_long_backlog(tmp_path: Path, executor: Executor) -> None:
    """With fifty that wait and with 50,000, a claim in order and the turn of the next one are the same work."""
    taken = []
    for rows in (50, 50_000):
        url = f"sqlite:///{tmp_path / f'{rows}.db'}"
        journal_with_backlog(url, rows)
        taken.append(steps_of_a_turn(url, executor))
    few, many = taken
    assert few == many
    assert max(many) < 3000


def steps_of_a_turn(url: str, executor: Executor) -> list[int]:
    """Count the steps that SQLite's machine takes for a claim in order, and for what lets the next ones start."""
    engine = open_engine(url, executor)
    taken: list[int] = []
    counts = []
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: taken.append(1), 1)
        ((*claims,),) = claim(connection, [replace(HANDLING, in_order=True)])
        counts.append(len(taken))
        settle(connection, [[ended(each, State.DONE) for each in claims]])
        counts.append(len(taken))
        driver.set_progress_handler(None, 1)
    engine.dispose()
    assert len(claims) == HANDLING.limit
    return counts


@both_ways
@pytest.mark.parametrize("known", [True, False], ids=["known", "not known"])
def test_postgresql_reads_little_of_a_long_backlog_to_find_who_comes_first(
    postgresql: PostgreSQL, executor: Executor, *, known: bool
) -> None:
    """Each of the two questions reads some pages, whether PostgreSQL knows how long the backlog is or not."""
    url = postgresql.database()
    journal_with_backlog(url, 50_000)
    engine = open_engine(url, executor)
    with engine.begin() as connection:
        if known:
            connection.execute(text("ANALYZE notification"))
        for statement, values in ((order.UNSEEN, {"_last": 40}), (order.FIRSTS, {"seqs": [31, 32, 33, 34]})):
            assert pages_read(connection, statement, values) < 50
    engine.dispose()


def pages_read(connection: Connection, statement: Executable, values: dict[str, Any]) -> int:
    """Return how many pages PostgreSQL looks at to answer a question, in its cache or not."""
    with statements_of(connection) as asked:
        query(connection, statement, values)
    ((wording, arranged),) = asked
    explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {wording}", arranged)
    plan = explained.scalar_one()[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
