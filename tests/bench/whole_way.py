"""The whole way: pushed, handled by a function that does nothing, deleted at a simulated inbox in another process.

The rate is that of all messages of a burst, from its first push to its last delete: as much as can come in for ever
without a backlog that grows. A burst before it warms up the service, its connections and the inbox.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench import books, load, processes, receive, targets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PATIENCE: Final = 600.0  # seconds for working off what a burst left


@dataclass(frozen=True, slots=True)
class Reading:
    """One run."""

    connections: int
    plain: float
    """Pushes a second that the plain server took in, just before."""
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


def measure(connections: int, seconds: float) -> Reading:
    """Run the plain server, then the whole way."""
    plain = receive.measure(targets.PLAIN, connections, seconds)
    with (
        tempfile.TemporaryDirectory() as folder,
        processes.script("tests.bench.inbox") as inbox,
        processes.service(Path(folder), inbox.url) as service,
    ):
        journal = f"sqlite:///{folder}/journal.db"
        load.warm_up(service.url, connections)
        books.wait_until_done(journal, _PATIENCE)
        return _read(connections, seconds, plain.rate, service=service, inbox=inbox, journal=journal)


def _read(
    connections: int,
    seconds: float,
    plain: float,
    *,
    service: processes.Running,
    inbox: processes.Running,
    journal: str,
) -> Reading:
    begun, service_before, inbox_before = time.time(), service.used().cpu, inbox.used().cpu
    seen = load.push(service.url, connections, seconds)
    ended = time.time()
    books.wait_until_done(journal, _PATIENCE)
    messages, last = books.done(journal, begun), books.last_done(journal)
    return Reading(
        connections=connections,
        plain=plain,
        rate=messages / (last - begun),
        worked_off=books.done(journal, ended) / max(last - ended, 1e-3),
        cpu_us=(service.used().cpu - service_before) / max(1, messages) * 1e6,
        inbox_us=(inbox.used().cpu - inbox_before) / max(1, messages) * 1e6,
        refused=seen.refused,
        missing=max(0, seen.answered - messages),
    )


def campaign(rounds: int, seconds: float, told: Callable[[str], None]) -> list[Reading]:
    """Run both at each concurrency, in turns."""
    readings = []
    for round_number in range(rounds):
        for connections in targets.WHOLE_WAY:
            told(f"round {round_number + 1}: {connections} connections")
            readings.append(measure(connections, seconds))
    return readings


def summary(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Return the medians at each concurrency, with the ratio and the targets."""
    return [_row([each for each in readings if each.connections == number]) for number in targets.WHOLE_WAY]


def _row(group: list[Reading]) -> dict[str, Any]:
    row: dict[str, Any] = {
        name: sum(values) if name in {"refused", "missing"} else statistics.median(values)
        for name in asdict(group[0])
        for values in [[asdict(each)[name] for each in group]]
    }
    first = {name: row[name] for name in ("connections", "plain", "rate")}
    row = first | {"ratio": row["rate"] / row["plain"]} | row
    return targets.with_verdicts(row, targets.whole_way(row))
