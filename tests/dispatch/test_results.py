"""Results on their way to disk: gathered while others are committed, kept until they are on disk, each on its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.dispatch.results import Results
from soap_handler.journal import Journal, Selection, State
from tests.journal.engines import writers_held_up
from tests.journal.entries import LEASE, Clock, ended, entry
from tests.journal.ways import WAYS, Way
from tests.support.empty_journal import empty_journal
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from soap_handler.journal import Claim, Settlement


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return empty_journal(tmp_path / "journal.db")
    return str(request.getfixturevalue("postgresql").empty_journal())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Run the test both ways, plain and fast."""
    return WAYS[request.param]


@pytest.fixture
def journal(url: str, clock: Clock, way: Way) -> Iterator[Journal]:
    with Journal(url, clock=clock, **way) as opened:
        yield opened


def claimed(journal: Journal, count: int) -> list[Claim]:
    journal.record_all([entry(number) for number in range(count)])
    return journal.claim(count, LEASE)


def states(journal: Journal) -> list[State]:
    return [record.state for record in journal.records(Selection())]


@pytest.fixture
def handed_in(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many results went to the journal at once, each time."""
    sizes: list[int] = []
    submit = journal.submit_settlements

    def counted(settlements: Sequence[Settlement]) -> Any:
        sizes.append(len(settlements))
        return submit(settlements)

    monkeypatch.setattr(journal, "submit_settlements", counted)
    return sizes


def test_a_lone_result_waits_for_no_other(journal: Journal, handed_in: list[int]) -> None:
    """It is handed in at once, and is not open any more when it is on disk."""
    (claim,) = claimed(journal, 1)
    results = Results(journal)
    results.add(ended(claim, State.DONE))
    assert handed_in == [1]
    wait_for(lambda: not len(results))
    assert states(journal) == [State.DONE]


def test_what_comes_while_others_are_committed_goes_together(journal: Journal, url: str, handed_in: list[int]) -> None:
    """The first does not wait; those behind it share what follows, some dozens at a time."""
    claims = claimed(journal, 100)
    results = Results(journal)
    with writers_held_up(url):
        for claim in claims:
            results.add(ended(claim, State.DONE))
        assert len(results) == 100
    wait_for(lambda: not len(results))
    assert states(journal) == [State.DONE] * 100
    assert handed_in == [1, 64, 35]


def test_where_more_are_sure_to_come_the_first_waits(journal: Journal, handed_in: list[int]) -> None:
    """Until there are some dozens, or until they are asked for."""
    claims = claimed(journal, 70)
    results = Results(journal, lambda _: 600.0)
    for claim in claims[:63]:
        results.add(ended(claim, State.DONE))
    assert handed_in == []
    for claim in claims[63:]:
        results.add(ended(claim, State.DONE))
    wait_for(lambda: len(results) == 6)
    assert handed_in == [64]

    def handed_in_now() -> bool:
        results.hand_in()
        return not len(results)

    wait_for(handed_in_now)
    assert states(journal) == [State.DONE] * 70
    assert handed_in == [64, 6]


def test_a_result_that_waited_long_enough_goes_with_the_next(journal: Journal, handed_in: list[int]) -> None:
    """The time is counted from the first that waits."""
    one, other = claimed(journal, 2)
    seconds = iter([600.0, 0.0, 0.0])
    results = Results(journal, lambda _: next(seconds))
    results.add(ended(one, State.DONE))
    assert handed_in == []
    results.add(ended(other, State.DONE))
    wait_for(lambda: not len(results))
    assert handed_in == [2]


def test_one_that_cannot_be_stored_keeps_no_other_from_the_disk(journal: Journal, url: str) -> None:
    """What went together and failed is handed in again, each alone; what fails then is kept."""
    unfit: Any = None
    first, bad, *others = claimed(journal, 5)
    results = Results(journal)
    with writers_held_up(url):
        results.add(ended(first, State.DONE))
        results.add(ended(bad, State.DONE)._replace(started_at=unfit))
        for claim in others:
            results.add(ended(claim, State.DONE))
    wait_for(lambda: results.failed)
    assert len(results) == 4
    results.retry()
    wait_for(lambda: len(results) == 1 and results.failed)
    assert sorted(states(journal)) == [State.DONE] * 4 + [State.RECEIVED]


def test_the_same_result_under_a_newer_lease_goes_in_place_of_the_old_one(
    journal: Journal, url: str, clock: Clock, handed_in: list[int]
) -> None:
    """What gathered is looked through when its turn comes: only the newest of a row is written."""
    first, old = claimed(journal, 2)
    clock.forward(LEASE.total_seconds() + 1)
    new = next(claim for claim in journal.claim(2, timedelta(hours=1)) if claim.seq == old.seq)
    results = Results(journal)
    with writers_held_up(url):
        results.add(ended(first, State.DEAD))
        results.add(ended(old, State.DONE))
        assert results.adopt(new)
        assert len(results) == 2
    wait_for(lambda: not len(results))
    assert handed_in == [1, 1]
    assert [attempt.outcome for attempt in journal.history(old.seq)] == ["lost", "ok"]
