"""What can wait a moment shares a transaction with what cannot, and never waits longer than that moment."""

from __future__ import annotations

from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from soap_handler.errors import JournalRefusedError
from soap_handler.fast import deferred_writes as riders
from soap_handler.fast.deferred_writes import MOMENT, Riders
from soap_handler.journal import Journal, Settlement, State, Step, verbs
from soap_handler.journal import group_commit as writer
from tests.journal.entries import LEASE, START, ended, entry

if TYPE_CHECKING:
    from concurrent.futures import Future

    import pytest

    from soap_handler.journal import Claim

WORK = verbs.ClaimRequest(Step.HANDLE, "me:1", START + LEASE, START + LEASE * 2, 5)


class Watch:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def submit_claim(journal: Journal) -> Future[list[Claim]]:
    """Ask for work without waiting for it."""
    return journal._writer.submit(verbs.claim, WORK)


def push_two(journal: Journal) -> None:
    """Record the same entry twice, one straight after the other: a burst."""
    for _ in range(2):
        journal.record_all([entry(0)])


def test_a_ride_is_expected_only_where_two_came_in_a_moment() -> None:
    """One request alone says nothing; two that are close do, for a moment."""
    watch = Watch()
    waiting: Riders[str] = Riders(watch)
    seen = [waiting.have_rides]
    for pause in (0.0, MOMENT / 2, 2 * MOMENT):
        watch.seconds += pause
        waiting.note_ride()
        seen.append(waiting.have_rides)
    waiting.note_ride()
    seen.append(waiting.have_rides)
    watch.seconds += MOMENT
    seen.append(waiting.have_rides)
    assert seen == [False, False, True, False, True, False]


@given(
    st.lists(
        st.one_of(
            st.integers(0, 9).map(lambda rows: ("add", rows)), st.integers(0, 20).map(lambda rows: ("take", rows))
        )
    )
)
def test_each_rider_is_taken_once_and_in_turn(steps: list[tuple[str, int]]) -> None:
    """Whatever comes and goes: nobody is lost or taken twice, nobody overtakes, and no ride takes more than it may."""
    waiting: Riders[tuple[int, int]] = Riders()
    added: list[tuple[int, int]] = []
    taken: list[tuple[int, int]] = []
    for number, (step, rows) in enumerate(steps):
        if step == "add":
            alone = len(added) == len(taken)
            added.append((number, rows))
            assert waiting.add((number, rows), rows) is alone
        else:
            group = waiting.take(rows)
            assert sum(needed for _, needed in group) <= rows
            taken += group
    assert taken + waiting.take() == added
    assert waiting.take() == []


def test_a_claim_goes_with_the_next_push(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a burst, a claim waits for what is pushed next, and both are one transaction."""
    for room in (riders, writer):
        monkeypatch.setattr(room, "MOMENT", 10.0)  # seconds, so that even a busy machine is quick enough
    with Journal(url) as journal:
        push_two(journal)
        commits: list[object] = []
        event.listen(journal._engine, "commit", commits.append)
        claim = submit_claim(journal)
        assert not wait([claim], timeout=0.2).done
        journal.record_all([entry(0)])
        assert len(claim.result(5)) == 1
        assert len(commits) == 1


def test_nobody_waits_for_a_ride_that_does_not_come(url: str) -> None:
    """When the burst ends, what waited is carried out alone; work and its result arrive."""
    with Journal(url) as journal:
        push_two(journal)
        (claim,) = submit_claim(journal).result(20)
        push_two(journal)
        settlement = ended(claim, State.DONE)
        assert journal.submit_settlements([settlement]).result(20) == [True]
        assert journal.counts() == {(claim.kind, State.DONE): 1}


def test_what_waits_for_a_ride_is_committed_at_the_end(url: str) -> None:
    """A journal that is closed in a burst leaves nobody without an answer."""
    journal = Journal(url)
    push_two(journal)
    waiting = [submit_claim(journal) for _ in range(20)]
    journal.close()
    assert sum(len(each.result(0)) for each in waiting) == 1


def test_a_rider_at_fault_spoils_no_ride(url: str) -> None:
    """What rides and cannot be carried out fails alone; the push is recorded, and the next ride is as good as ever."""
    with Journal(url) as journal:
        push_two(journal)
        (claim,) = submit_claim(journal).result(20)
        for number in range(1, 10):
            push_two(journal)
            broken: Any = Settlement(claim, Step.HANDLE, State.DONE, None, START, None)  # type: ignore[arg-type] # at fault
            result = journal.submit_settlements([broken])
            assert journal.record_all([entry(number)]) == [True]
            assert isinstance(result.exception(20), JournalRefusedError)
        assert journal.submit_settlements([ended(claim, State.DONE)]).result(20) == [True]
