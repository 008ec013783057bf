"""The backlog that metrics show: what waits for which step, of which account, and since when; on both engines."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from soap_handler.journal import Refusal, Settlement, State, Step
from soap_handler.journal.questions.backlog import backlog
from tests.journal.entries import START, entry
from tests.support.database import listening, opened

if TYPE_CHECKING:
    from soap_handler.journal import Journal
    from tests.journal.entries import Clock

LEASE = timedelta(minutes=1)


def settled(journal: Journal, number: int, state: State, account: str) -> None:
    """Record a message and bring it to a state."""
    journal.record(entry(number, account=account))
    (claim,) = [each for each in journal.claim(100, LEASE) if each.account == account]
    due = journal.queue_now() if state is State.HANDLED else None
    moment = journal.now()
    assert journal.settle([Settlement(claim, Step.HANDLE, state, due, moment, moment)]) == [True]


def test_each_step_is_counted_by_account(journal: Journal, clock: Clock) -> None:
    """Received waits for its handler since it came, handled for its delete since it was handled; done waits no more."""
    settled(journal, 1, State.DEAD, "A")
    settled(journal, 2, State.DONE, "A")
    clock.forward(60)
    settled(journal, 3, State.HANDLED, "B")
    journal.record(entry(4, account="A"))
    journal.record(entry(5, START + timedelta(seconds=30), account="A"))
    found = journal.read(lambda connection: backlog(connection, journal.now()))
    assert {each[:3] for each in found.waiting} == {("handle", "A", 2), ("delete", "B", 1), ("dead", "A", 1)}
    assert {each.step: each.oldest for each in found.waiting} == {
        "handle": START,
        "delete": START + timedelta(seconds=60),
        "dead": START,
    }
    assert found.refused == frozenset()


def test_a_refused_login_is_told(journal: Journal) -> None:
    """Until EMS accepts it again."""
    journal.gates.refuse(Refusal("A", 1, journal.gates.moment_in(60), "hash", "no"))
    assert journal.read(lambda connection: backlog(connection, journal.now())).refused == {"A"}
    journal.gates.accept("A")
    assert journal.read(lambda connection: backlog(connection, journal.now())).refused == frozenset()


def test_a_long_history_is_not_read(journal: Journal, url: str) -> None:
    """Each step is read from the partial index that holds only what waits for it."""
    statements: list[tuple[str, Any]] = []
    with listening("before_cursor_execute", lambda *told: statements.append((told[2], told[3]))):
        journal.read(lambda connection: backlog(connection, journal.now()))
    with opened(url) as connection:
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        if connection.dialect.name != "sqlite":
            connection.exec_driver_sql("SET enable_seqscan = off")  # a table so small is read whole
        plans = [
            str(connection.exec_driver_sql(f"{explain} {text}", values).all())
            for text, values in statements
            if "FROM notification" in text
        ]
    assert len(plans) == 3
    for plan, index in zip(plans, ("to_handle", "to_delete", "dead"), strict=True):
        assert f"ix_notification_{index}" in plan, plan
