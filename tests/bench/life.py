"""What a service costs beside its work: the time until it listens, and the memory as messages pass through."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench import books, load, processes, targets

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPS: Final = 10
_PATIENCE: Final = 600.0  # seconds for working off what a burst left


def growth(messages: int, told: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return the memory of the service at the start and after each tenth of so many messages, all done."""
    with (
        tempfile.TemporaryDirectory() as folder,
        processes.script("tests.bench.inbox") as inbox,
        processes.service(Path(folder), inbox.url) as service,
    ):
        journal = f"sqlite:///{folder}/journal.db"
        rows: list[dict[str, Any]] = [{"messages": 0, "memory_mb": service.used().memory}]
        for step in range(1, _STEPS + 1):
            told(f"{messages * step // _STEPS:,} of {messages:,} messages")
            while books.rows(journal, "notification") < messages * step // _STEPS:
                load.push(service.url, 8, 1)
            books.wait_until_done(journal, _PATIENCE)
            rows.append({"messages": books.rows(journal, "notification"), "memory_mb": service.used().memory})
    verdicts = targets.growth(rows)
    return [targets.with_verdicts(row, verdicts if row is rows[-1] else []) for row in rows]


def start(rounds: int) -> list[dict[str, Any]]:
    """Return the median seconds from the command to listening, with a new journal and with one that is there."""
    times: dict[str, list[float]] = {"new": [], "there already": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder, processes.script("tests.bench.inbox") as inbox:
            for taken in times.values():
                with processes.service(Path(folder), inbox.url) as service:
                    taken.append(service.started_in)
    rows = [{"journal": journal, "start_s": statistics.median(taken)} for journal, taken in times.items()]
    return [targets.with_verdicts(row, [targets.at_most(row, "start_s", targets.START)]) for row in rows]
