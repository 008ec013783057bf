"""What a look costs: the overview is found by index, and a search takes one pass, however long the history is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from soap_handler.journal import Journal, Selection, State, questions
from tests.bench import long_journal
from tests.journal.test_claim_cost import HISTORY, make_journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection


def steps(journal: Journal, question: Callable[[Journal], object]) -> int:
    """Count the steps that SQLite's machine takes for a question."""
    taken: list[int] = []

    def watch(connection: Connection, *, on: bool) -> None:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler((lambda: taken.append(1)) if on else None, 1)

    read = journal.read

    def counted(query: Callable[[Connection], Any], silence: float | None = None) -> Any:
        def run(connection: Connection) -> Any:
            watch(connection, on=True)
            try:
                return query(connection)
            finally:
                watch(connection, on=False)

        return read(run, silence)

    journal.read = counted  # type: ignore[method-assign]
    question(journal)
    return len(taken)


def test_the_overview_takes_no_more_steps_after_a_long_history(tmp_path: Path) -> None:
    """A look each second must not slow down the pushes: it goes where the work is, and to the ends of the tables."""
    counted = []
    for rows in (2_000, 100_000):
        url = f"sqlite:///{tmp_path / f'{rows}.db'}"
        make_journal(url, HISTORY, rows)
        with Journal(url) as journal:
            counted.append(steps(journal, questions.overview))
    assert counted[0] == counted[1]
    assert counted[0] < 20_000


def test_what_was_filled_in_is_found(url: str) -> None:
    """On a journal as days of service leave it: by state, by error, by number, by the beginning of a key."""
    rows, work = 21_000, long_journal.WAITING
    long_journal.make(url, rows)
    with Journal(url) as journal:
        seen = questions.overview(journal)
        dead = sum(number % long_journal.DEAD_EVERY == 0 for number in range(1, rows - 2 * work + 1))
        assert seen.states == {
            State.RECEIVED: work, State.HANDLED: work, State.DEAD: dead, State.DONE: rows - 2 * work - dead
        }  # fmt: skip
        assert (seen.handling.count, seen.handling.due) == (work, work)
        assert sum(each.count for each in seen.deaths) == dead
        (record, *_) = journal.records(Selection(number=f"+{long_journal.SOUGHT}", state=State.DONE))
        assert journal.read(lambda connection: questions.keys_like(connection, record.key[:-9])) == [record.key]
        wanted = Selection(since=record.received_at, until=seen.at, number=long_journal.SOUGHT)
        seqs, total = journal.read(lambda connection: questions.found(connection, wanted, 50))
        assert (seqs[-1], total) == (record.seq, len(seqs))
        some, total = journal.read(lambda connection: questions.found(connection, Selection(), 3))
        assert (some, total) == ([rows, rows - 1, rows - 2], rows)
