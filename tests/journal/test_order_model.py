"""The order of one originator against a model of it, on both engines."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from soap_handler.journal import Entry, Journal, Selection, Settlement, State, Step
from tests.journal.entries import ANN, BOB, Clock, bodies, claim_in_order, message
from tests.journal.ways import FAST, PLAIN, Way
from tests.support.empty_journal import empty_journal

if TYPE_CHECKING:
    from soap_handler.journal import Claim
    from tests.journal.engines import PostgreSQL


@dataclass
class Waiting:
    """What the model knows of a notification that has yet to be handled."""

    number: int
    originator: str
    due: Any
    owner: str | None = None


class OrderMachine(RuleBasedStateMachine):
    """Every claim gives the first of each originator that is free, whatever happened before."""

    claims: Bundle[Claim] = Bundle("claims")
    postgresql: PostgreSQL | None = None
    way: Way = PLAIN

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="journal-order-"))
        self.clock = Clock()
        url = self.postgresql.empty_journal() if self.postgresql else empty_journal(self.folder / "journal.db")
        self.journal = Journal(url, clock=self.clock, **self.way)
        self.waiting: list[Waiting] = []
        self.dead: list[Waiting] = []
        self.stored = 0

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            shutil.rmtree(self.folder)

    @rule(originator=st.sampled_from([ANN, ANN, BOB, ""]), count=st.integers(1, 3))
    def record(self, originator: str, count: int) -> None:
        for _ in range(count):
            self.journal.record(Entry(message(self.stored, originator=originator), self.clock()))
            self.waiting.append(Waiting(self.stored, originator, self.clock()))
            self.stored += 1

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        self.clock.forward(seconds)

    def first(self, one: Waiting) -> bool:
        rivals = [each for each in self.waiting if each.originator == one.originator]
        return not one.originator or one is min(rivals, key=lambda each: (each.owner is None, each.number))

    def startable(self) -> list[str]:
        return [str(each.number) for each in self.waiting if each.due <= self.clock() and self.first(each)]

    @rule(target=claims, limit=st.integers(1, 4), lease=st.integers(1, 60))
    def claim_in_order(self, limit: int, lease: int) -> MultipleResults[Claim]:
        length = timedelta(seconds=lease)
        expected = self.startable()
        claimed = claim_in_order(self.journal, limit, length)
        assert set(bodies(claimed)) <= set(expected)
        assert len(claimed) == min(limit, len(expected))
        for each in claimed:
            one = self.find(each)
            assert one
            one.owner, one.due = each.owner, self.clock() + length
        return multiple(*claimed)

    def find(self, claimed: Claim) -> Waiting | None:
        (body,) = bodies([claimed])
        return next((each for each in self.waiting if str(each.number) == body), None)

    @rule(
        claimed=consumes(claims), end=st.sampled_from(["done", "failed", "dead", "given back"]), wait=st.integers(0, 99)
    )
    def settle(self, claimed: Claim, end: str, wait: int) -> None:
        one = self.find(claimed)
        ours = one is not None and one.owner == claimed.owner
        later = self.clock() + timedelta(seconds=wait)
        if end == "given back":
            self.journal.release([claimed], Step.HANDLE)
            later = self.clock()
        else:
            state = {"done": State.DONE, "failed": State.RECEIVED, "dead": State.DEAD}[end]
            due = later if end == "failed" else None
            error = None if end == "done" else "broken"
            result = Settlement(claimed, Step.HANDLE, state, due, claimed.leased_at, self.clock(), error)
            assert self.journal.settle([result]) == [ours]
        if one is not None and ours:
            one.owner, one.due = None, later
            if end in {"done", "dead"}:
                self.waiting.remove(one)
                if end == "dead":
                    self.dead.append(one)

    @rule()
    def retry(self) -> None:
        assert self.journal.retry(Selection()) == len(self.dead)
        for one in self.dead:
            one.due = self.clock()
        self.waiting = sorted([*self.waiting, *self.dead], key=lambda each: each.number)
        self.dead = []

    @invariant()
    def two_of_one_originator_are_never_leased(self) -> None:
        if hasattr(self, "journal"):
            leased = Counter(one.originator for one in self.waiting if one.owner and one.originator)
            assert set(leased.values()) <= {1}

    @invariant()
    def what_may_start_is_due_at_once(self) -> None:
        """Nobody sleeps over it."""
        if hasattr(self, "journal") and self.startable():
            due = self.journal.next_handling()
            assert due is not None
            assert due <= self.clock()


OrderMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


class TestOrderAgainstItsModel(OrderMachine.TestCase):  # type: ignore[misc, valid-type] # it is made at run time
    """On SQLite, the plain way."""


class FastMachine(OrderMachine):
    way = FAST


def test_order_against_its_model_the_fast_way() -> None:
    """On SQLite, the fast way."""
    run_state_machine_as_test(FastMachine, settings=settings(max_examples=10, stateful_step_count=25, deadline=None))


def test_order_against_its_model_on_postgresql(postgresql: PostgreSQL, way: Way) -> None:
    """On PostgreSQL."""
    machine = type("Machine", (OrderMachine,), {"way": way, "postgresql": postgresql})
    run_state_machine_as_test(machine, settings=settings(max_examples=6, stateful_step_count=25, deadline=None))
