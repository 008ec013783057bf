"""The other measures: the whole way, the claim, the memory, the start."""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from soap_handler.journal import Entry, Journal
from soap_handler.notifications import MessageReceived

from . import books, load, processes, receive

_PATIENCE = 300.0  # seconds for working off what a burst left


def end_to_end(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Return the rates at which messages go the whole way, beside the rate at which the plain server takes them in."""
    rows = []
    for connections in (8, 32):
        plain = [receive.measure(receive.BASE, connections, seconds).rate for _ in range(rounds)]
        whole = [_whole_way(connections, seconds) for _ in range(rounds)]
        ratio = statistics.median(whole) / statistics.median(plain)
        rows.append(
            {
                "connections": connections,
                "plain": statistics.median(plain),
                "whole way": statistics.median(whole),
                "ratio": ratio,
            }
        )
    return rows


def _whole_way(connections: int, seconds: float) -> float:
    """Return how many messages a second were pushed, handled and deleted, from the first push to the last delete."""
    with (
        tempfile.TemporaryDirectory() as folder,
        processes.script("tests.bench.inbox") as inbox,
        processes.service(Path(folder), inbox.url) as running,
    ):
        begun = time.monotonic()
        load.push(running.url, connections, seconds)
        books.wait_until_done(Path(folder) / "journal.db", _PATIENCE)
        return books.rows(Path(folder) / "journal.db", "notification") / (time.monotonic() - begun)


def claim() -> list[dict[str, Any]]:
    """Return the time of a claim of one, with nothing and with a million rows done, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        journals = {done: _journal(Path(folder) / f"{done}.db", done) for done in (0, 1_000_000)}
        times: dict[int, list[float]] = {done: [] for done in journals}
        for number in range(300):
            for done, journal in journals.items():
                message = MessageReceived(account="A", id=f"{number:032x}")
                journal.record(Entry(message, datetime.now(UTC)))
                begun = time.perf_counter()
                assert len(journal.claim(1, timedelta(hours=1))) == 1
                times[done].append(time.perf_counter() - begun)
        for journal in journals.values():
            journal.close()
    return [{"rows done": done, "median ms": statistics.median(each) * 1e3} for done, each in times.items()]


def _journal(path: Path, done: int) -> Journal:
    journal = Journal(f"sqlite:///{path}")
    if done:
        journal.close()
        books.fill(path, done)
        journal = Journal(f"sqlite:///{path}")
    return journal


def growth(seconds: float) -> list[dict[str, Any]]:
    """Return the memory of the service after each tenth of the time."""
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        processes.script("tests.bench.inbox") as inbox,
        processes.service(Path(folder), inbox.url) as running,
    ):
        database = Path(folder) / "journal.db"
        rows.append({"messages": 0, "memory MB": running.used().memory})
        for _ in range(10):
            load.push(running.url, 8, seconds / 10)
            books.wait_until_done(database, _PATIENCE)
            rows.append({"messages": books.rows(database, "notification"), "memory MB": running.used().memory})
    return rows


def start(rounds: int) -> list[dict[str, Any]]:
    """Return the seconds from the command to listening, with a new journal and with one that is there."""
    new: list[float] = []
    old: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for times in (new, old):
                with processes.service(Path(folder), None) as running:
                    times.append(running.started_in)
    return [
        {"journal": "new", "median s": statistics.median(new)},
        {"journal": "there already", "median s": statistics.median(old)},
    ]
