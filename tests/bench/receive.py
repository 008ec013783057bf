"""A burst: how many pushes a second are answered 200, durably, with dispatch and deletes going on beside it."""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from . import books, load, processes

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTIONS: Final = (1, 8, 32)
BASE: Final = "plain"


@dataclass(frozen=True, slots=True)
class Reading:
    """One run of one server."""

    server: str
    connections: int
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """Of the server, for each request."""
    memory_mb: float
    refused: int
    """Answers other than 200, and connections that broke."""
    missing: int
    """Requests answered 200 that are not stored."""
    dispatched: float
    """The share of what arrived that was handled before the burst ended."""


def measure(server: str, connections: int, seconds: float) -> Reading:
    """Run one server under load."""
    with tempfile.TemporaryDirectory() as folder:
        return _SERVERS[server](Path(folder), connections, seconds)


def _read(server: str, running: processes.Running, connections: int, seconds: float) -> Reading:
    before = running.used()
    seen = load.push(running.url, connections, seconds)
    after = running.used()
    return Reading(
        server=server,
        connections=connections,
        rate=seen.rate,
        p50_ms=seen.p50_ms,
        p99_ms=seen.p99_ms,
        cpu_us=(after.cpu - before.cpu) / max(1, seen.requests) * 1e6,
        memory_mb=after.memory,
        refused=seen.not_2xx + seen.socket_errors,
        missing=seen.requests - seen.not_2xx,  # until what is stored is taken off
        dispatched=0.0,
    )


def _constant(_folder: Path, connections: int, seconds: float) -> Reading:
    with processes.script("tests.bench.constant") as running:
        return replace(_read("constant", running, connections, seconds), missing=0)


def _plain(folder: Path, connections: int, seconds: float) -> Reading:
    database = folder / "plain.db"
    with processes.script("tests.bench.plain", str(database)) as running:
        reading = _read(BASE, running, connections, seconds)
    return replace(reading, missing=max(0, reading.missing - books.rows(database, "message")))


def _ours(workers: int) -> Callable[[Path, int, float], Reading]:
    def run(folder: Path, connections: int, seconds: float) -> Reading:
        database = folder / "journal.db"
        name = f"soap_handler, {workers} process{'es' if workers > 1 else ''}"
        with (
            processes.script("tests.bench.inbox") as inbox,
            processes.service(folder, inbox.url, workers=workers) as running,
        ):
            reading = _read(name, running, connections, seconds)
            stored, handled = books.rows(database, "notification"), books.dispatched(database)
        missing = max(0, reading.missing - books.rows(database, "notification"))
        return replace(reading, missing=missing, dispatched=handled / max(1, stored))

    return run


_SERVERS: Final[dict[str, Callable[[Path, int, float], Reading]]] = {
    "constant": _constant,
    BASE: _plain,
    "one": _ours(1),
    "two": _ours(2),
}


def campaign(rounds: int, seconds: float, told: Callable[[str], None]) -> list[Reading]:
    """Run every server at every concurrency, in turns, so that a noisy machine is noisy for all of them."""
    readings = []
    for round_number in range(rounds):
        for connections in CONNECTIONS:
            for server in _SERVERS:
                told(f"round {round_number + 1}: {server}, {connections} connections")
                readings.append(measure(server, connections, seconds))
    return readings


def summary(readings: list[Reading]) -> list[dict[str, Any]]:
    """Return the medians of each server at each concurrency, and the ratio of its rate to the plain one's."""
    groups: dict[tuple[int, str], list[Reading]] = {}
    for reading in readings:
        groups.setdefault((reading.connections, reading.server), []).append(reading)
    rows = [_median(group) for group in groups.values()]
    base = {row["connections"]: row["rate"] for row in rows if row["server"] == BASE}
    return [row | {"ratio": row["rate"] / base[row["connections"]]} for row in rows]


def _median(group: list[Reading]) -> dict[str, Any]:
    first = asdict(group[0])
    sums = {"refused", "missing"}
    return {
        name: value
        if isinstance(value, str) or name == "connections"
        else sum(asdict(each)[name] for each in group)
        if name in sums
        else statistics.median(asdict(each)[name] for each in group)
        for name, value in first.items()
    }
