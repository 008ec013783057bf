"""The whole way: pushed, handled by a function that does nothing, deleted at a simulated inbox in another process.

The rate is that of all messages of a burst, from its first push to its last delete: as much as can come in for ever
without a backlog that grows. A burst before it warms up the service, its connections and the inbox.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench import books, load, processes, receive, targets
from tests.bench.candidates import THIS, Candidate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.journals import Journals

_PATIENCE: Final = 600.0  # seconds for working off what a burst left


@dataclass(frozen=True, slots=True)
class Reading:
    """One run."""

    connections: int
    history: int
    """Messages that were stored and done before."""
    plain: float
    """Pushes a second that the plain server took in, just before; 0 where it was left out."""
    rate: float
    """Messages a second that went the whole way."""
    worked_off: float
    """Messages a second that were handled and deleted after the last push."""
    cpu_us: float
    """Of the service, for each message."""
    inbox_us: float
    """Of the simulated inbox, for each message: it shares the machine, and must not be what limits the rate."""
    refused: int
    missing: int
    """Pushes answered 200 that did not come out at the other end."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What is to be run."""

    connections: int
    history: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.connections} connections, {self.history:,} rows before"

    def beside_plain(self, journals: Journals, candidate: Candidate) -> Reading:
        """Run the plain server, then the whole way."""
        plain = receive.Cell(targets.PLAIN, self.connections, self.history, self.seconds).measure(journals)
        return replace(self.measure(journals, candidate), plain=plain.rate)

    def measure(self, journals: Journals, candidate: Candidate = THIS) -> Reading:
        """Run the whole way."""
        with tempfile.TemporaryDirectory() as name, processes.script("tests.bench.inbox") as inbox:
            folder = Path(name)
            journal = journals.sqlite(folder, candidate, self.history)
            with processes.service(folder, inbox.url, candidate=candidate) as service:
                load.warm_up(service.url, self.connections)
                books.wait_until_done(journal, _PATIENCE)
                return self._read(service, inbox, journal)

    def _read(self, service: processes.Running, inbox: processes.Running, journal: str) -> Reading:
        begun, service_before, inbox_before = time.time(), service.used().cpu, inbox.used().cpu
        seen = load.push(service.url, self.connections, self.seconds)
        ended = time.time()
        books.wait_until_done(journal, _PATIENCE)
        messages, last = books.done(journal, begun), books.last_done(journal)
        return Reading(
            connections=self.connections,
            history=self.history,
            plain=0.0,
            rate=messages / (last - begun),
            worked_off=books.done(journal, ended) / max(last - ended, 1e-3),
            cpu_us=(service.used().cpu - service_before) / max(1, messages) * 1e6,
            inbox_us=(inbox.used().cpu - inbox_before) / max(1, messages) * 1e6,
            refused=seen.refused,
            missing=max(0, seen.answered - messages),
        )


def cells(connections: Sequence[int], history: Sequence[int], seconds: float) -> list[Cell]:
    """Return all cells of these connections and numbers of rows before."""
    return [Cell(number, rows, seconds) for number in connections for rows in history]


def campaign(
    chosen: Sequence[Cell], rounds: int, journals: Journals, candidate: Candidate, told: Callable[[str], None]
) -> list[Reading]:
    """Run both in each cell, in turns."""
    readings = []
    for round_number in range(rounds):
        for cell in chosen:
            told(f"round {round_number + 1}: {cell}")
            readings.append(cell.beside_plain(journals, candidate))
    return readings


def summary(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Return the medians in each cell, with the ratio and the targets."""
    groups: dict[tuple[int, int], list[Reading]] = {}
    for reading in readings:
        groups.setdefault((reading.connections, reading.history), []).append(reading)
    return [_row(group) for group in groups.values()]


def _row(group: list[Reading]) -> dict[str, Any]:
    row: dict[str, Any] = {
        name: sum(values) if name in {"refused", "missing"} else statistics.median(values)
        for name in asdict(group[0])
        for values in [[asdict(each)[name] for each in group]]
    }
    first = {name: row[name] for name in ("connections", "history", "plain", "rate")}
    row = first | {"ratio": row["rate"] / row["plain"]} | row
    return targets.with_verdicts(row, targets.whole_way(row))
