"""Several journals on one database, in one process and in several: they share the work and never fail for it."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from soap_handler.journal import Journal, Selection, State
from tests.journal.entries import LEASE, ended, entry
from tests.support import fork_server

if TYPE_CHECKING:
    from soap_handler.journal import Claim, Settlement
    from tests.journal.ways import Way

ENTRIES = 300


def share(journal: Journal, entries: int) -> tuple[int, int]:
    """Record the entries, then claim and settle until nothing is left; return how many were new, and handled."""
    with ThreadPoolExecutor(4) as threads:
        new = sum(threads.map(journal.record, [entry(number) for number in range(entries)]))
        return new, sum(threads.map(lambda _: handle_all(journal), range(4)))


def handle_all(journal: Journal) -> int:
    handled = 0
    while claims := journal.claim(5, LEASE):
        assert all(journal.settle([done(claim) for claim in claims]))
        handled += len(claims)
    return handled


def done(claim: Claim) -> Settlement:
    return ended(claim, State.DONE)


def check(journal: Journal, shares: list[tuple[int, int]]) -> None:
    """Each entry was new to one of them, and handled by one of them."""
    assert [sum(column) for column in zip(*shares, strict=True)] == [ENTRIES, ENTRIES]
    records = journal.records(Selection())
    assert {(record.state, record.attempts) for record in records} == {(State.DONE, 1)}
    assert len(records) == ENTRIES


def test_two_journals_of_one_process_share_the_work(url: str, way: Way) -> None:
    """Duplicates are found and no notification is handled twice, whichever journal got it."""
    with Journal(url, **way) as one, Journal(url, **way) as other, ThreadPoolExecutor(2) as threads:
        shares = list(threads.map(share, [one, other], [ENTRIES, ENTRIES]))
        check(one, shares)


def test_two_processes_share_the_work(url: str, way: Way) -> None:
    """Likewise over the borders of processes, which also find a new database at the same moment."""
    with ThreadPoolExecutor(2) as both:
        started = [both.submit(fork_server.run, "tests.journal.questions.test_processes", url) for _ in range(2)]
    ended_ones = [each.result() for each in started]
    assert [process.returncode for process in ended_ones] == [0, 0], ended_ones
    with Journal(url, **way) as journal:
        check(journal, [tuple(json.loads(process.stdout)) for process in ended_ones])


if __name__ == "__main__":  # one of the two processes
    with Journal(sys.argv[1]) as journal:
        print(json.dumps(share(journal, ENTRIES)))  # noqa: T201 - its answer to the test
