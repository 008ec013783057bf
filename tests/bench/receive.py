"""A burst: how many pushes a second are answered 200, durably, with dispatch and deletes going on beside it."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench import books, load, processes, targets
from tests.bench.candidates import THIS, Candidate
from tests.bench.load import Api
from tests.bench.targets import CONSTANT, FLASK, ONE, PLAIN, TWO, TWO_POSTGRESQL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.journals import Journals

CONNECTIONS: Final = (1, 8, 32)
_PATIENCE: Final = 600.0  # seconds for working off what is left


@dataclass(frozen=True, slots=True)
class Reading:
    """One run of one server."""

    server: str
    api: Api
    connections: int
    history: int
    """Messages that were stored and done before."""
    answered: int
    """Requests answered 200; or refused, where that is what is measured."""
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """Of the server, for each request; a database's own processes do not count."""
    memory_mb: float
    refused: int
    """Other answers, and connections that broke."""
    missing: int
    """Requests answered 200 that are not stored."""
    extra: int
    """What is stored though nobody asked for it: more than was answered, and was under way at the end."""
    dispatched: float
    """The share of what arrived that was handled before the burst ended."""

    def booked(self, warm: load.Load, rows: int, bursts: int = 1) -> Reading:
        """Return the reading with what the books say: so many rows are new, those of the warming up included."""
        answered = warm.answered + self.answered
        refused = warm.refused + self.refused
        if self.api is Api.REFUSED:
            return replace(self, refused=refused, extra=rows)
        unheard = (1 + bursts) * self.connections + refused  # stored perhaps, when wrk had stopped to listen
        return replace(self, refused=refused, missing=max(0, answered - rows), extra=max(0, rows - answered - unheard))


@dataclass(frozen=True, slots=True)
class Cell:
    """What is to be run: a server, and how it is loaded."""

    server: str
    connections: int
    history: int
    seconds: float
    api: Api = Api.SOAP

    def __str__(self) -> str:
        return f"{self.server}, {self.api}, {self.connections} connections, {self.history:,} rows before"

    @property
    def bursts(self) -> int:
        """How often the connections are opened: once for one process, each second for several."""
        return max(1, round(self.seconds)) if self.server in _SEVERAL_PROCESSES else 1

    def push(self, url: str) -> load.Load:
        """Push as long as the cell says."""
        if self.bursts > 1:
            return load.push_in_bursts(url, self.connections, self.bursts, self.api)
        return load.push(url, self.connections, self.seconds, self.api)

    def measure(self, journals: Journals, candidate: Candidate = THIS) -> Reading:
        """Run the server under load."""
        with tempfile.TemporaryDirectory() as folder:
            return _RUNS[self.server](self, Path(folder), journals, candidate)


def cells(
    servers: Sequence[str],
    connections: Sequence[int],
    history: Sequence[int],
    seconds: float,
    apis: Sequence[Api] = (Api.SOAP,),
) -> list[Cell]:
    """Return all that makes sense of these servers, connections, numbers of rows before and versions of the API."""
    return [
        Cell(server, number, rows, seconds, api)
        for number in connections
        for rows in history
        for server in servers
        for api in apis
        if (number > 1 or server not in _NOT_ALONE)
        and (rows == history[0] or server != CONSTANT)
        and targets.BESIDE.get(server, api) is api
    ]


def _push(cell: Cell, started: processes.Running) -> Reading:
    """Return what was seen, without what the books say."""
    before = started.used()
    seen = cell.push(started.url)
    after = started.used()
    return Reading(
        server=cell.server,
        api=cell.api,
        connections=cell.connections,
        history=cell.history,
        answered=seen.answered,
        rate=seen.rate,
        p50_ms=seen.p50_ms,
        p99_ms=seen.p99_ms,
        cpu_us=(after.cpu - before.cpu) / max(1, seen.requests) * 1e6,
        memory_mb=after.memory,
        refused=seen.refused,
        missing=0,
        extra=0,
        dispatched=0.0,
    )


def _constant(cell: Cell, _folder: Path, _journals: Journals, _candidate: Candidate) -> Reading:
    with processes.script("tests.bench.constant") as started:
        load.warm_up(started.url, cell.connections)
        return _push(cell, started)


def _plain(cell: Cell, folder: Path, journals: Journals, _candidate: Candidate) -> Reading:
    file = journals.plain(folder, cell.history)
    module = "tests.bench.plain_form" if cell.server == FLASK else "tests.bench.plain"
    with processes.script(module, str(file)) as started:
        warm = load.warm_up(started.url, cell.connections, cell.api)
        reading = _push(cell, started)
    return reading.booked(warm, books.rows(f"sqlite:///{file}", "message") - cell.history)


def _sqlite(cell: Cell, folder: Path, journals: Journals, candidate: Candidate) -> Reading:
    return _ours(cell, folder, journals.sqlite(folder, candidate, cell.history), candidate)


def _postgresql(cell: Cell, folder: Path, journals: Journals, candidate: Candidate) -> Reading:
    journal = journals.postgresql(candidate, cell.history)
    try:
        return _ours(cell, folder, journal, candidate)
    finally:
        journals.drop(journal)


def _ours(cell: Cell, folder: Path, journal: str, candidate: Candidate) -> Reading:
    workers = 1 if cell.server == ONE else 2
    with (
        processes.script("tests.bench.inbox") as inbox,
        processes.service(
            folder,
            inbox.url,
            journal=journal,
            workers=workers,
            candidate=candidate,
            throttle=cell.api is not Api.REFUSED,  # it holds refusals back by design
        ) as started,
    ):
        warm = load.warm_up(started.url, cell.connections, cell.api)
        books.wait_until_done(journal, _PATIENCE)
        begun = time.time()
        reading = _push(cell, started)
        ended = time.time()
    handled, received = books.handled(journal, begun, ended), books.received(journal, begun)
    rows = books.rows(journal, "notification") - cell.history
    return replace(reading, dispatched=handled / max(1, received)).booked(warm, rows, cell.bursts)


_RUNS: Final[dict[str, Callable[[Cell, Path, Journals, Candidate], Reading]]] = {
    CONSTANT: _constant,
    PLAIN: _plain,
    FLASK: _plain,
    ONE: _sqlite,
    TWO: _sqlite,
    TWO_POSTGRESQL: _postgresql,
}
_SEVERAL_PROCESSES: Final = {TWO, TWO_POSTGRESQL}
_NOT_ALONE: Final = {TWO_POSTGRESQL}  # one connection at a time says nothing about these


def campaign(
    chosen: Sequence[Cell], rounds: int, journals: Journals, candidate: Candidate, told: Callable[[str], None]
) -> list[Reading]:
    """Run the cells in turns, so that a noisy machine is noisy for all of them."""
    readings = []
    for round_number in range(rounds):
        for cell in chosen:
            told(f"round {round_number + 1}: {cell}")
            readings.append(cell.measure(journals, candidate))
    return readings


def summary(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Return the medians of each server in each cell, with their ratios and the targets.

    One ratio is to the plain server of the same version of the API, where there is one; the other is to the same server
    in SOAP, where both were measured.
    """
    groups: dict[tuple[int, int, str, str], list[Reading]] = {}
    for reading in readings:
        groups.setdefault((reading.connections, reading.history, reading.api, reading.server), []).append(reading)
    medians = {key: _median(group) for key, group in groups.items()}
    return [
        _judged(
            row,
            medians.get((connections, history, api, targets.YARDSTICKS.get(Api(api), ""))),
            medians.get((connections, history, Api.SOAP, server)) if api != Api.SOAP else None,
        )
        for (connections, history, api, server), row in medians.items()
    ]


def _judged(row: dict[str, Any], plain: dict[str, Any] | None, soap: dict[str, Any] | None) -> dict[str, Any]:
    first = {name: row[name] for name in ("server", "api", "connections", "history", "rate")}
    ratios = {"plain": plain and plain["rate"], "ratio": plain and row["rate"] / plain["rate"]}
    row = first | ratios | {"of_soap": soap and row["rate"] / soap["rate"]} | row
    if row["api"] != Api.SOAP:
        return targets.with_verdicts(row, targets.of_soap(row))
    return targets.with_verdicts(row, targets.receive(row, plain) if plain else [])


def _median(group: list[Reading]) -> dict[str, Any]:
    values = {name: [asdict(each)[name] for each in group] for name in asdict(group[0])}
    sums = {"refused", "missing", "extra"}  # one is too many, in whichever round
    same = {name: each[0] for name, each in values.items() if name in {"server", "api", "connections", "history"}}
    return same | {
        name: sum(each) if name in sums else statistics.median(each)
        for name, each in values.items()
        if name not in same
    }
