"""The books of a campaign: what the journal and the handler's diary say, and whether each repetition had a reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, select, text

from soap_handler.journal import Attempt, Journal, Record, Selection, State, Step, queries, questions
from soap_handler.journal.questions.backlog import STEPS, backlog
from soap_handler.journal.questions.deaths import by_error
from soap_handler.journal.questions.overview import look
from soap_handler.journal.schema import notification

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from soap_handler.notifications import Kind

GIVEN_UP = "did not return"  # part of what the journal says of a handler that overran its time
ROLLED_BACK = "the transaction could not be committed"  # and of one whose writes are undone, so that it is called again


@dataclass(slots=True)
class Run:
    """One call of the handler, as its diary has it."""

    process: int
    end: str = ""
    """``end``, ``fail`` (raised), ``hang``, ``die``, or nothing: cut off."""


class Diary:
    """What the handler itself noted, on disk, while it ran."""

    def __init__(self, file: Path) -> None:
        self.runs: dict[str, list[Run]] = defaultdict(list)
        lines = file.read_text().splitlines() if file.exists() else []
        for what, key, process in (line.split() for line in lines):
            self._take(what, key, int(process))

    def _take(self, what: str, key: str, process: int) -> None:
        runs = self.runs[key]
        if what == "start":
            runs.append(Run(process))
            return
        for run in reversed(runs):
            if run.process == process and run.end in {"", "hang"}:
                run.end = run.end or what  # one that hung and returned late stays one that hung
                return

    @property
    def ended(self) -> set[str]:
        """What the handler returned from."""
        return {key for key, runs in self.runs.items() if any(run.end in {"end", "hang"} for run in runs)}


class Books:
    """Everything that is known of the notifications at one moment."""

    def __init__(self, url: str, diary: Path, *, transactional: bool = False) -> None:
        with Journal(url) as journal:
            self.records: dict[str, Record] = {record.key: record for record in journal.records(Selection())}
            self.attempts: dict[str, list[Attempt]] = defaultdict(list)
            for key, attempt in journal.attempts():
                self.attempts[key].append(attempt)
            self.seen_differently = seen_differently(journal)
            """Where status, metrics and journal do not agree on the states; empty where they do."""
        self.diary = Diary(diary)
        self.effects: Counter[str] | None = effects(url) if transactional else None

    @property
    def states(self) -> Counter[State]:
        """How many notifications are in each state."""
        return Counter(record.state for record in self.records.values())

    @property
    def handled(self) -> set[str]:
        """What was handled to its end: by the handler's diary, or by its rows where it writes any."""
        return set(self.effects) if self.effects is not None else self.diary.ended

    @property
    def doubled(self) -> set[str]:
        """Whose effect in the database is there more than once."""
        return {key for key, rows in (self.effects or {}).items() if rows > 1}

    @property
    def handled_twice(self) -> dict[str, list[Run]]:
        """What the handler began more than once without having failed by itself, with those calls."""
        calls = {key: [run for run in runs if run.end not in {"fail", "hang"}] for key, runs in self.diary.runs.items()}
        return {key: runs for key, runs in calls.items() if len(runs) > 1}

    def unexcused(self, gone: set[int]) -> list[str]:
        """Return what was handled twice although no process was killed (or held up) in the midst of it."""
        return [key for key, runs in self.handled_twice.items() if not self._excused(key, runs, gone)]

    def story(self, key: str) -> str:
        """Say what the diary and the journal have of one notification."""
        calls = ", ".join(f"{run.process} {run.end or 'cut off'}" for run in self.diary.runs[key])
        tries = ", ".join(f"{one.owner} {one.step} {one.outcome} {one.error or ''}" for one in self.attempts[key])
        return f"{key}: called {calls}; attempts {tries}"

    def _excused(self, key: str, runs: list[Run], gone: set[int]) -> bool:
        tries = [attempt for attempt in self.attempts[key] if attempt.step is Step.HANDLE]
        lost = {process(attempt) for attempt in tries if attempt.outcome == "lost"} & gone
        failed = {process(attempt) for attempt in tries if _is_failure(attempt, transactional=self.effects is not None)}
        if len({run.process for run in runs}) < len(runs) and not failed:
            return False  # one process began it twice
        # One of the runs counts. A host that froze may begin its own only after another has taken over and handled it.
        return sum(run.process not in lost | failed for run in runs) <= 1


def seen_differently(journal: Journal) -> list[str]:
    """Return where status, console, metrics and selections do not agree with the journal's own rows at one moment.

    The first page of the console and ``status`` show the same overview.
    """
    return journal.read(_seen_differently)


def _seen_differently(connection: Connection) -> list[str]:
    now = datetime.now(UTC)  # what is due by it does not change how much there is
    seen = look(connection, now, timedelta())
    rows = Counter(State(state) for state in connection.scalars(select(notification.c.state)))
    told = {
        "status and console": seen.states,
        "what waits in status and console": {State.RECEIVED: seen.handling.count, State.HANDLED: seen.deleting.count},
        "the dead of status and console": {State.DEAD: sum(each.count for each in seen.deaths)},
        "counts by kind": _by_state(queries.counts(connection)),
        "selections": {state: questions.count(connection, Selection(state=state)) for state in State},
        "backlog of the metrics": _backlog(connection, now),
        "the console's page of the dead": {State.DEAD: sum(each.count for each in by_error(connection, State.DEAD))},
    }
    return [
        f"{what}: {count} {state}, of {rows[state]}"
        for what, counts in told.items()
        for state, count in counts.items()
        if count != rows[state]
    ]


def _backlog(connection: Connection, now: datetime) -> dict[State, int]:
    found = dict.fromkeys(STEPS, 0)
    states = {step: state for state, step in STEPS.items()}
    for share in backlog(connection, now).waiting:
        found[states[share.step]] += share.number
    return found


def _by_state(counts: Mapping[tuple[Kind, State], int]) -> dict[State, int]:
    found = dict.fromkeys(State, 0)
    for (_, state), count in counts.items():
        found[state] += count
    return found


def process(attempt: Attempt) -> int:
    """Return the id of the process that made an attempt."""
    return int(attempt.owner.split(":")[1])


def _is_failure(attempt: Attempt, *, transactional: bool) -> bool:
    """Whether the journal knows that a handler which returned has not handled anything."""
    error = attempt.error or ""
    return GIVEN_UP in error or (transactional and ROLLED_BACK in error)


def effects(url: str) -> Counter[str]:
    """Return how many rows the transactional handler has left for each notification."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return Counter(connection.scalars(text("SELECT key FROM campaign_effect")))
    finally:
        engine.dispose()


def make_room_for_effects(url: str) -> None:
    """Create the table of the transactional handler in the journal's database."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE campaign_effect (key TEXT NOT NULL, process BIGINT NOT NULL)"))
    finally:
        engine.dispose()
