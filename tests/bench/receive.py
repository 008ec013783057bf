"""A burst: how many pushes a second are answered 200, durably, with dispatch and deletes going on beside it."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench import books, load, processes, targets
from tests.bench.targets import CONSTANT, ONE, PLAIN, TWO, TWO_POSTGRESQL
from tests.support.postgresql import PostgreSQL, running

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONNECTIONS: Final = (1, 8, 32)
_PATIENCE: Final = 600.0  # seconds for working off what is left


@dataclass(frozen=True, slots=True)
class Reading:
    """One run of one server."""

    server: str
    connections: int
    answered: int
    """Requests answered 200."""
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """Of the server, for each request; a database's own processes do not count."""
    memory_mb: float
    refused: int
    """Answers other than 200, and connections that broke."""
    missing: int
    """Requests answered 200 that are not stored."""
    extra: int
    """What is stored though nobody asked for it: more than was answered, and was under way at the end."""
    dispatched: float
    """The share of what arrived that was handled before the burst ended."""

    def booked(self, warm: load.Load, rows: int) -> Reading:
        """Return the reading with what the books say: so many rows are there, those of the warming up included."""
        answered = warm.answered + self.answered
        refused = warm.refused + self.refused
        unheard = 2 * self.connections + refused  # stored perhaps, when wrk had stopped to listen: twice
        return replace(self, refused=refused, missing=max(0, answered - rows), extra=max(0, rows - answered - unheard))


def measure(server: str, connections: int, seconds: float) -> Reading:
    """Run one server under load."""
    with tempfile.TemporaryDirectory() as folder:
        return SERVERS[server](Path(folder), connections, seconds)


def _push(server: str, started: processes.Running, connections: int, seconds: float) -> Reading:
    """Return what was seen, without what the books say."""
    before = started.used()
    seen = load.push(started.url, connections, seconds)
    after = started.used()
    return Reading(
        server=server,
        connections=connections,
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


def _constant(_folder: Path, connections: int, seconds: float) -> Reading:
    with processes.script("tests.bench.constant") as started:
        load.warm_up(started.url, connections)
        return _push(CONSTANT, started, connections, seconds)


def _plain(folder: Path, connections: int, seconds: float) -> Reading:
    with processes.script("tests.bench.plain", str(folder / "plain.db")) as started:
        warm = load.warm_up(started.url, connections)
        reading = _push(PLAIN, started, connections, seconds)
    return reading.booked(warm, books.rows(f"sqlite:///{folder}/plain.db", "message"))


def _sqlite(server: str, workers: int) -> Callable[[Path, int, float], Reading]:
    def run(folder: Path, connections: int, seconds: float) -> Reading:
        journal = f"sqlite:///{folder}/journal.db"
        return _ours(folder, connections, seconds, server=server, journal=journal, workers=workers)

    return run


def _postgresql(folder: Path, connections: int, seconds: float) -> Reading:
    with running(PostgreSQL) as database:
        return _ours(folder, connections, seconds, server=TWO_POSTGRESQL, journal=database.database(), workers=2)


def _ours(folder: Path, connections: int, seconds: float, *, server: str, journal: str, workers: int) -> Reading:
    with (
        processes.script("tests.bench.inbox") as inbox,
        processes.service(folder, inbox.url, journal=journal, workers=workers) as started,
    ):
        warm = load.warm_up(started.url, connections)
        books.wait_until_done(journal, _PATIENCE)
        begun = time.time()
        reading = _push(server, started, connections, seconds)
        ended = time.time()
    handled, received = books.handled(journal, begun, ended), books.received(journal, begun)
    rows = books.rows(journal, "notification")
    return replace(reading, dispatched=handled / max(1, received)).booked(warm, rows)


SERVERS: Final[dict[str, Callable[[Path, int, float], Reading]]] = {
    CONSTANT: _constant,
    PLAIN: _plain,
    ONE: _sqlite(ONE, 1),
    TWO: _sqlite(TWO, 2),
    TWO_POSTGRESQL: _postgresql,
}
_NOT_ALONE: Final = {TWO_POSTGRESQL}  # one connection at a time says nothing about these


def campaign(servers: Sequence[str], rounds: int, seconds: float, told: Callable[[str], None]) -> list[Reading]:
    """Run the servers at every concurrency, in turns, so that a noisy machine is noisy for all of them."""
    readings = []
    for round_number in range(rounds):
        for connections in CONNECTIONS:
            for server in servers:
                if connections > 1 or server not in _NOT_ALONE:
                    told(f"round {round_number + 1}: {server}, {connections} connections")
                    readings.append(measure(server, connections, seconds))
    return readings


def summary(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Return the medians of each server at each concurrency, with the ratio to the plain one and the targets."""
    groups: dict[tuple[int, str], list[Reading]] = {}
    for reading in readings:
        groups.setdefault((reading.connections, reading.server), []).append(reading)
    rows = [_median(group) for group in groups.values()]
    plain = {row["connections"]: row for row in rows if row["server"] == PLAIN}
    return [_judged(row, plain[row["connections"]]) for row in rows]


def _judged(row: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    first = {name: row[name] for name in ("server", "connections", "rate")}
    row = first | {"ratio": row["rate"] / plain["rate"]} | row
    return targets.with_verdicts(row, targets.receive(row, plain))


def _median(group: list[Reading]) -> dict[str, Any]:
    values = {name: [asdict(each)[name] for each in group] for name in asdict(group[0])}
    sums = {"refused", "missing", "extra"}  # one is too many, in whichever round
    same = {name: each[0] for name, each in values.items() if name in {"server", "connections"}}
    return same | {
        name: sum(each) if name in sums else statistics.median(each)
        for name, each in values.items()
        if name not in same
    }
