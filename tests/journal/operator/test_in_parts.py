"""Orders in parts: no push waits for the search of what a person orders, nor long for what is done with it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.journal import Journal, Selection, State, give_up, replay
from tests.journal.entries import LEASE, START, ended, entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Order = Callable[[Journal, Selection], int]

ORDERS: dict[str, tuple[State, Order]] = {
    "retry": (State.DEAD, lambda journal, selection: journal.retry(selection)),
    "replay": (State.DONE, lambda journal, selection: replay(journal, selection).notifications),
    "give-up": (State.RECEIVED, lambda journal, selection: give_up(journal, selection, "no")),
    "release": (State.HANDLED, lambda journal, selection: journal.release_due(selection)),
}
"""Each order, with the state of what it takes."""


def fill(journal: Journal, state: State, count: int) -> None:
    """Store notifications that failed once and are in a state now."""
    journal.record_all([entry(number) for number in range(count)])
    due = {State.RECEIVED: START, State.HANDLED: journal.queue_now() + timedelta(days=1)}.get(state)
    journal.settle([ended(each, state, due, error="it broke") for each in journal.claim(count, LEASE)])


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("sought", [Selection(error="never said"), Selection(number="+44 20 7946 0000")])
def test_a_search_holds_up_no_writer(tmp_path: Path, name: str, sought: Selection) -> None:
    """A pass over all errors or numbers may take seconds: it is made beside a writer, not in its place."""
    state, order = ORDERS[name]
    file = tmp_path / "journal.db"
    with Journal(f"sqlite:///{file}") as journal:
        fill(journal, state, 3)
        with closing(sqlite3.connect(file, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            assert order(journal, sought) == 0


@pytest.mark.parametrize("name", ORDERS)
def test_all_that_is_found_is_done_in_parts(url: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a part of a commit nor of a search is left out or taken twice."""
    monkeypatch.setattr("soap_handler.journal.operator.in_parts.ROWS_PER_STEP", 2)
    monkeypatch.setattr("soap_handler.journal.operator.in_parts.ROWS_PER_SEARCH", 5)
    state, order = ORDERS[name]
    with Journal(url) as journal:
        fill(journal, state, 11)
        commits: list[Any] = []
        submit = journal.committer.submit

        def counted(verb: Any, argument: Any) -> Any:
            commits.append(verb)
            return submit(verb, argument)

        monkeypatch.setattr(journal.committer, "submit", counted)
        assert order(journal, Selection(error="BROKE")) == 11
        assert len(commits) == 7  # of 5, 5 and 1 rows
        assert order(journal, Selection()) == 0
