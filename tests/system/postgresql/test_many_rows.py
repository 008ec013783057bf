"""What claims and settlements ask of PostgreSQL: few statements for many rows, and little of a long journal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, text

from soap_handler.journal import Entry, Journal, Selection, Settlement, State, order, verbs
from soap_handler.journal.bulk import ROWS
from soap_handler.journal.claim import _LEASE, _due_by
from soap_handler.journal.engine import connect_to_write, open_engine
from soap_handler.journal.records import Step
from soap_handler.journal.schema import stored
from tests.journal.entries import LEASE, START, Clock, claim_in_order, message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from soap_handler.fast.compiled_sql import Statement
    from soap_handler.journal import Claim
    from tests.journal.engines import PostgreSQL

BACKLOG = """
    INSERT INTO notification
        (key, account, kind, state, source, originator, payload, received_at, due_at, attempts, delete_attempts)
    SELECT 'EX0000002/MessageReceived/' || i, 'EX0000002', 'MessageReceived', 'received', 'push', '4477' || (i % 1000),
        '{}', i, i, 0, 0 FROM generate_series(1, 50000) i
"""
SEQS: Mapping[str, Any] = {"seqs": [3, 4, 5, 5]}
"""Some rows, as few_lengths gives them."""

STATEMENTS: Mapping[str, tuple[Statement, Mapping[str, Any]]] = {
    "find": (_due_by(Step.HANDLE, of_account=False)[1], {"_now": stored(START), "_limit": 5}),
    "what is new": (order._NEW, {"_last": 15}),
    "lock": (verbs._LOCKED, SEQS),
    "lease": (_LEASE[Step.HANDLE], {**SEQS, "_until": 9, "_owner": "me", "_now": 8}),
    "who is first": (order._FIRSTS, SEQS),
    "settle": (
        verbs._SETTLE._given,
        {ROWS: json.dumps([{"_seq": seq, "state": "done", "done_at": 9} for seq in (3, 4, 5)])},
    ),
    "settle alike": (
        verbs._SETTLE_ALIKE,
        {**SEQS, "_state": "done", "_due_at": None, "_handled_at": None, "_done_at": 9},
    ),
    "let the next one start": (
        order._LET_NEXT._given,
        {
            ROWS: json.dumps([{"_account": "EX0000002", "_originator": f"4477{number}"} for number in (3, 4, 5)]),
            "_at": 9,
        },
    ),
}


def filled(journal: Journal, count: int) -> list[Claim]:
    """Store so many of as many originators, and claim them all."""
    journal.record_all([Entry(message(number, originator=f"4477009{number}"), START) for number in range(count)])
    return claim_in_order(journal, count)


@pytest.mark.parametrize("state", [State.HANDLED, State.RECEIVED])
def test_any_number_of_results_takes_the_same_statements(postgresql: PostgreSQL, state: State) -> None:
    """The text of each is the same too, so that the server knows it already."""
    url = postgresql.database()
    asked: list[list[str]] = []
    with Journal(url, clock=Clock()) as journal:
        claims = filled(journal, 60)
    engine = open_engine(url)
    event.listen(engine, "before_cursor_execute", lambda *of: asked[-1].append(of[2]))
    for some in (claims[:2], claims[2:5], claims[5:]):
        asked.append([])
        with engine.begin() as connection:
            assert verbs.settle(connection, [[result(claim, state) for claim in some]]) == [[True] * len(some)]
    engine.dispose()
    assert asked[0] == asked[1] == asked[2]
    assert len(asked[0]) == 4  # lock, settle, let the next ones start, history


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


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_plan_from_when_the_journal_was_small_serves_a_large_one(postgresql: PostgreSQL, name: str) -> None:
    """The server keeps the plan of a statement that it knows: what was planned for ten rows reads little of 50,000."""
    url = postgresql.database()
    with Journal(url, clock=Clock()) as journal:
        filled(journal, 10)
    statement, values = STATEMENTS[name]
    engine = open_engine(url)
    with connect_to_write(engine) as connection, connection.begin():
        execute = prepare(connection, statement, values)
        connection.exec_driver_sql(execute)
        connection.execute(text(BACKLOG))
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {execute}").scalar_one()[0]["Plan"]
    engine.dispose()
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 200


def prepare(connection: Connection, statement: Statement, values: Mapping[str, Any]) -> str:
    """Have the server know a statement, with one plan for whatever values; return what executes it."""
    wording, arrange = statement._for(connection.dialect, values)
    arranged = arrange(values)
    names = list(arranged)
    numbered = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", wording)
    connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
    connection.exec_driver_sql(f"PREPARE ours AS {numbered}")
    return f"EXECUTE ours ({', '.join(literal(arranged[name]) for name in names)})"


def literal(value: Any) -> str:
    """Return a value as SQL, in which no sign of the driver's parameters is."""
    return "NULL" if value is None else str(value) if isinstance(value, int) else f"'{value}'"
