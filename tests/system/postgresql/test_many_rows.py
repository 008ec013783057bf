"""What claims and settlements ask of PostgreSQL: few statements for many rows, and little of a long journal."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from soap_handler.fast.compiled_sql import COMPILED
from soap_handler.journal import Entry, Journal, Selection, Settlement, State, Step
from soap_handler.journal.claim import ClaimRequest, claim
from soap_handler.journal.databases.engine import connect_to_write, open_engine
from soap_handler.journal.execute import PLAIN
from soap_handler.journal.settle import settle
from tests.journal.engines import statements_of
from tests.journal.entries import LEASE, START, Clock, claim_in_order, message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from soap_handler.journal import Claim
    from soap_handler.journal.execute import Executor
    from tests.journal.engines import PostgreSQL

both_ways = pytest.mark.parametrize("executor", [PLAIN, COMPILED], ids=["plain", "fast"])

BACKLOG = """
    INSERT INTO notification
        (key, account, kind, state, source, originator, payload, received_at, due_at, attempts, delete_attempts)
    SELECT 'EX0000002/MessageReceived/' || i, 'EX0000002', 'MessageReceived', 'received', 'push', '4477' || (i % 1000),
        '{}', i, i, 0, 0 FROM generate_series(1, 50000) i
"""


def filled(journal: Journal, count: int) -> list[Claim]:
    """Store so many of as many originators, and claim them all."""
    journal.record_all([Entry(message(number, originator=f"4477009{number}"), START) for number in range(count)])
    return claim_in_order(journal, count)


@both_ways
@pytest.mark.parametrize("state", [State.HANDLED, State.RECEIVED])
def test_any_number_of_results_takes_the_same_statements(
    postgresql: PostgreSQL, state: State, executor: Executor
) -> None:
    """Four of them: lock, settle, let the next ones start, history. The fast way's texts are the same too.

    So the server knows them already. The plain way writes out the numbers of the rows that it locks.
    """
    url = postgresql.database()
    asked: list[list[str]] = []
    with Journal(url, clock=Clock()) as journal:
        claims = filled(journal, 60)
    engine = open_engine(url, executor)
    for some in (claims[:2], claims[2:5], claims[5:]):
        with engine.begin() as connection, statements_of(connection) as noted:
            assert settle(connection, [[result(claim, state) for claim in some]]) == [[True] * len(some)]
        asked.append([wording for wording, _ in noted if wording])  # the empty one comes behind many rows
    engine.dispose()
    if executor is PLAIN:
        asked = [[re.sub(r"%\(seqs_\d+\)s(::\w+)?(, )?", "", each) for each in wordings] for wordings in asked]
    assert asked[0] == asked[1] == asked[2]
    assert len(asked[0]) == 4


def result(claim: Claim, state: State) -> Settlement:
    """Return a result that differs from every other one."""
    moment = START + LEASE + claim.seq * LEASE
    return Settlement(claim, Step.HANDLE, state, moment, claim.leased_at, moment, f"'\"\\ {claim.seq}")


def test_each_row_gets_its_own_values(postgresql: PostgreSQL) -> None:
    """Whatever a failed attempt says and whenever it is due again is in its own row, and in its own history."""
    with Journal(postgresql.database(), clock=Clock()) as journal:
        claims = filled(journal, 40)
        results = [result(claim, State.RECEIVED) for claim in claims]
        assert journal.settle(results) == [True] * len(claims)
        records = {record.seq: record for record in journal.records(Selection())}
        for each in results:
            assert records[each.claim.seq].due_at == each.due_at
            assert [attempt.error for attempt in journal.history(each.claim.seq)] == [each.error]


def claim_and_settle(connection: Connection) -> None:
    """Execute each statement of claims and settlements: some rows may start, some are blocked, some end."""
    request = ClaimRequest(Step.HANDLE, "other", START + LEASE, LEASE, 5, in_order=True)
    for number in range(3):
        (claims,) = claim(connection, [replace(request, owner=f"other:{number}")])
        settle(connection, [[result(each, State.DONE) for each in claims]])


@both_ways
def test_plans_from_when_the_journal_was_small_serve_a_large_one(postgresql: PostgreSQL, executor: Executor) -> None:
    """The server keeps the plan of a statement that it knows: what was planned for ten rows reads little of 50,000."""
    url = postgresql.database()
    with Journal(url, clock=Clock()) as journal:
        filled(journal, 10)
        journal.record_all([Entry(message(100 + number, originator="447700900"), START) for number in range(5)])
    engine = open_engine(url, executor)
    with connect_to_write(engine) as connection, connection.begin():
        with statements_of(connection) as noted:
            claim_and_settle(connection)
        statements = {each: values for each, values in noted if isinstance(values, dict) and "advisory" not in each}
        prepared = [prepare(connection, *each, number) for number, each in enumerate(statements.items())]
        connection.execute(text(BACKLOG))
        read = {each: pages_read(connection, each) for each in prepared}
    engine.dispose()
    assert len(read) >= 8  # find, what is new, who is first, still received, put off, lease, lock, settle, unblock …
    assert max(read.values()) < 200, read


def pages_read(connection: Connection, statement: str) -> int:
    """Return how many pages PostgreSQL looks at for a statement, in its cache or not."""
    explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}")
    plan = explained.scalar_one()[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def prepare(connection: Connection, wording: str, values: Mapping[str, Any], number: int) -> str:
    """Have the server know a statement, with one plan for whatever values; return what executes it."""
    names = list(values)
    numbered = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", wording)
    connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
    connection.exec_driver_sql(f"PREPARE ours_{number} AS {numbered}")
    execute = f"EXECUTE ours_{number} ({', '.join(literal(values[name]) for name in names)})"
    connection.exec_driver_sql(execute)  # now it has its plan
    return execute


def literal(value: Any) -> str:
    """Return a value as SQL, in which no sign of the driver's parameters is."""
    if isinstance(value, list):
        return f"'{{{','.join(map(str, value))}}}'"
    return "NULL" if value is None else str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
