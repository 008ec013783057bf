"""The journal against a small model of it: whatever is done in whatever order, both say the same."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

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

from soap_handler.journal import Claim, Journal, Selection, Settlement, State, Step
from tests.journal.entries import Clock, entry
from tests.journal.ways import FAST, PLAIN, Way
from tests.support.empty_journal import empty_journal

ACCOUNT = "EX0000001"


@dataclass
class Row:
    """What the model knows of a notification."""

    number: int
    due_at: datetime | None
    state: State = State.RECEIVED
    owner: str | None = None
    leased_at: datetime | None = None
    attempts: int = 0
    delete_attempts: int = 0
    outcomes: list[str] = field(default_factory=list)
    duplicates: int = 0

    def settle(self, state: State, due_at: datetime | None, outcome: str) -> None:
        self.state, self.due_at, self.owner = state, due_at, None
        self.outcomes.append(outcome)


class JournalMachine(RuleBasedStateMachine):
    """Does to the journal and to the model the same things."""

    claims: Bundle[tuple[Step, Claim]] = Bundle("claims")
    way: Way = PLAIN

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="journal-model-"))
        self.clock = Clock()
        self.journal = Journal(empty_journal(self.folder / "journal.db"), clock=self.clock, **self.way)
        self.rows: dict[str, Row] = {}  # by key, in the order of storing

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            shutil.rmtree(self.folder)

    @rule(number=st.integers(0, 8))
    def record(self, number: int) -> None:
        told = entry(number, self.clock())
        key = told.notification.key
        assert self.journal.record(told) == (key not in self.rows)
        if key in self.rows:
            self.rows[key].duplicates += 1
        self.rows.setdefault(key, Row(len(self.rows), self.clock()))

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        self.clock.forward(seconds)

    @rule(target=claims, step=st.sampled_from(Step), limit=st.integers(1, 4), lease=st.integers(1, 60))
    def claim(self, step: Step, limit: int, lease: int) -> MultipleResults[tuple[Step, Claim]]:
        length = timedelta(seconds=lease)
        if step is Step.HANDLE:
            claimed = self.journal.claim(limit, length)
        else:
            claimed = self.journal.claim_deletions(ACCOUNT, limit, length)
        expected = self._due(step)[:limit]
        assert [claim.key for claim in claimed] == expected
        for claim in claimed:
            self._lease(step, claim, self.clock() + length)
        return multiple(*((step, claim) for claim in claimed))

    def _due(self, step: Step) -> list[str]:
        state = State.RECEIVED if step is Step.HANDLE else State.HANDLED
        due = [
            (row.due_at, row.number, key)
            for key, row in self.rows.items()
            if row.state is state and row.due_at is not None and row.due_at <= self.clock()
        ]
        return [key for _, _, key in sorted(due)]

    def _lease(self, step: Step, claim: Claim, until: datetime) -> None:
        row = self.rows[claim.key]
        assert claim.is_suspect == (row.owner is not None)
        if row.owner is not None:
            row.outcomes.append("lost")
        row.owner, row.due_at, row.leased_at = claim.owner, until, self.clock()
        if step is Step.HANDLE:
            assert claim.attempts == row.attempts + 1
        else:
            row.delete_attempts += 1
            assert claim.attempts == row.delete_attempts

    @rule(claimed=claims)
    def begin(self, claimed: tuple[Step, Claim]) -> None:
        step, claim = claimed
        if step is Step.DELETE:
            return
        row = self.rows[claim.key]
        ours = row.owner == claim.owner
        assert self.journal.begin(claim) == ours
        if ours:
            row.attempts = claim.attempts

    @rule(claimed=consumes(claims), end=st.sampled_from(["ok", "done", "failed", "dead"]), wait=st.integers(0, 30))
    def settle(self, claimed: tuple[Step, Claim], end: str, wait: int) -> None:
        step, claim = claimed
        state, due_at = self._end(step, end, self.clock() + timedelta(seconds=wait))
        error = None if end in {"ok", "done"} else "broken"
        settlement = Settlement(claim, step, state, due_at, claim.leased_at, self.clock(), error)
        row, outcome = self.rows[claim.key], "failed" if error else "ok"
        ours = row.owner == claim.owner
        assert self.journal.settle([settlement]) == [ours]
        if ours:
            row.settle(state, due_at, outcome)
            if step is Step.HANDLE:
                row.attempts = claim.attempts
        else:
            row.outcomes.append(f"{outcome}, too late")

    def _end(self, step: Step, end: str, later: datetime) -> tuple[State, datetime | None]:
        if step is Step.DELETE:
            return (State.DONE, None) if end in {"ok", "done"} else (State.HANDLED, later)
        return {
            "ok": (State.HANDLED, self.clock()),
            "done": (State.DONE, None),
            "failed": (State.RECEIVED, later),
            "dead": (State.DEAD, None),
        }[end]

    @rule(claimed=consumes(claims))
    def release(self, claimed: tuple[Step, Claim]) -> None:
        step, claim = claimed
        self.journal.release([claim], step)
        row = self.rows[claim.key]
        if row.owner == claim.owner:
            row.owner, row.due_at = None, self.clock()
            if step is Step.HANDLE:
                row.attempts = claim.attempts - 1
            else:
                row.delete_attempts -= 1

    @rule()
    def retry(self) -> None:
        dead = [row for row in self.rows.values() if row.state is State.DEAD]
        assert self.journal.retry(Selection()) == len(dead)
        for row in dead:
            row.state, row.due_at, row.attempts = State.RECEIVED, self.clock(), 0

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = Journal(f"sqlite:///{self.folder}/journal.db", clock=self.clock, **self.way)

    @invariant()
    def both_say_the_same(self) -> None:
        if not hasattr(self, "journal"):
            return
        records = {record.key: record for record in self.journal.records(Selection())}
        assert set(records) == set(self.rows)
        for key, row in self.rows.items():
            found = records[key]
            assert (found.state, found.due_at, found.leased) == (row.state, row.due_at, row.owner is not None)
            assert (found.attempts, found.delete_attempts) == (row.attempts, row.delete_attempts)
            history = self.journal.history(found.seq)
            assert [one.outcome for one in history if one.step is not Step.PUSH] == row.outcomes
            assert sum(one.times for one in history if one.step is Step.PUSH) == row.duplicates

    @invariant()
    def both_know_what_comes_next(self) -> None:
        if not hasattr(self, "journal"):
            return
        handlings = [row.due_at for row in self.rows.values() if row.state is State.RECEIVED and row.due_at]
        deletions = [row.due_at for row in self.rows.values() if row.state is State.HANDLED and row.due_at]
        assert self.journal.next_handling() == min(handlings, default=None)
        assert self.journal.next_deletions().get(ACCOUNT) == min(deletions, default=None)


JournalMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


class TestJournalAgainstItsModel(JournalMachine.TestCase):  # type: ignore[misc, valid-type] # it is made at run time
    """Nothing that can be done to the journal makes it say something else than its model."""


class FastMachine(JournalMachine):
    way = FAST


def test_journal_against_its_model_the_fast_way() -> None:
    """The fast way says the same as the model too."""
    run_state_machine_as_test(FastMachine, settings=JournalMachine.TestCase.settings)
