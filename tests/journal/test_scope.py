"""Scopes: the part of the queue that one destination works on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, select

from soap_handler.journal.schema import metadata, notification
from soap_handler.journal.scope import Rule, Scope
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

ACCOUNTS = ["EX1", "EX2", "EX3"]
KINDS = [kind.value for kind in Kind]
RULES = st.builds(
    Rule,
    st.frozensets(st.sampled_from(KINDS), max_size=3),
    st.frozensets(st.sampled_from(ACCOUNTS), max_size=2),
)
WHEN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
engine = create_engine("sqlite://")


def filled() -> Connection:
    """Return a connection to a database with one row for each account and kind."""
    metadata.create_all(engine)
    connection = engine.connect()
    rows = [{"account": account, "kind": kind} for account in ACCOUNTS for kind in KINDS]
    same = {"state": "received", "source": "push", "payload": "{}", "received_at": WHEN}
    connection.execute(insert(notification), [{"key": f"{number}", **row, **same} for number, row in enumerate(rows)])
    return connection


def test_a_scope_may_have_thousands_of_names_and_rules() -> None:
    """SQLite takes no expression of more than 1,000 levels, and a claim that fails would stop all handling."""
    names = frozenset({f"A{number}" for number in range(5000)} | {"EX1"})
    many = [(Rule(accounts=frozenset({f"B{number}"})), number % 2 == 0) for number in range(2000)]
    scope = Scope(((Rule(accounts=names), True), *many))
    with filled() as connection:
        found = connection.execute(select(notification.c.account).where(scope.condition())).scalars()
        assert list(found) == ["EX1"] * len(KINDS)


@given(st.lists(RULES, max_size=5), st.data())
def test_the_first_rule_that_matches_decides(rules: Sequence[Rule], data: st.DataObject) -> None:
    """Scopes of one list of rules never overlap, and the database selects by them as we do."""
    owners = [data.draw(st.integers(0, 2)) for _ in rules]
    owned = list(zip(rules, owners, strict=True))
    scopes = [Scope(tuple((rule, owner == each) for rule, owner in owned)) for each in range(3)]
    for account in ACCOUNTS:
        for kind in KINDS:
            takers = [each for each, scope in enumerate(scopes) if scope.takes(account, kind)]
            first = next((n for n, rule in enumerate(rules) if rule.matches(account, kind)), None)
            assert takers == ([] if first is None else [owners[first]])
    with filled() as connection:
        for scope in scopes:
            found = connection.execute(select(notification.c.account, notification.c.kind).where(scope.condition()))
            expected = {(account, kind) for account in ACCOUNTS for kind in KINDS if scope.takes(account, kind)}
            assert {tuple(row) for row in found} == expected
