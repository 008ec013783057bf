"""Receiving while people look at the console, beside receiving without a console, in turns."""

from __future__ import annotations

import http.client
import statistics
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench import load, processes, targets
from tests.bench.candidates import THIS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.bench.journals import Journals

_CONSOLE: Final = "[console]\nport = 0\n"
WAYS: Final = ("without", "console", "looked at")
"""Without a console; with one at which no one looks; and with an overview that refreshes itself."""


def campaign(  # noqa: PLR0917 - what is measured, in the order of the command
    servers: Sequence[str],
    connections: int,
    rounds: int,
    seconds: float,
    refresh: float,
    rows: int,
    journals: Journals,
    told: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Return a row for each server and way: the median rate and CPU time, and the medians of each round's ratios."""
    found = []
    for server in servers:
        runs: dict[str, list[tuple[load.Load, float]]] = {way: [] for way in WAYS}
        for number in range(rounds):
            for way in WAYS if number % 2 else reversed(WAYS):
                told(f"{server}: {way}, round {number + 1}")
                runs[way].append(_run(server, way, connections, seconds, refresh, rows, journals))
        found += [_row(server, way, runs) for way in WAYS]
    return found


def _run(  # noqa: PLR0917 - as above
    server: str, way: str, connections: int, seconds: float, refresh: float, rows: int, journals: Journals
) -> tuple[load.Load, float]:
    """Push for some seconds; return what was seen, and the CPU microseconds of the service for each push."""
    on_postgresql = server == targets.TWO_POSTGRESQL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = journals.postgresql(THIS, rows) if on_postgresql else journals.sqlite(folder, THIS, rows)
        delivery = processes.HANDLER + ("" if way == "without" else _CONSOLE)
        workers = 1 if server == targets.ONE else 2
        try:
            with (
                processes.service(folder, None, journal=url, workers=workers, delivery=delivery) as service,
                _overview(folder / "log", refresh, is_open=way == "looked at"),
            ):
                load.warm_up(service.url, connections)
                before = service.used()
                seen = load.push(service.url, connections, seconds)
                used = service.used().cpu - before.cpu
        finally:
            journals.drop(url)
    return seen, used / max(1, seen.requests) * 1e6


@contextmanager
def _overview(log: Path, refresh: float, *, is_open: bool) -> Iterator[None]:
    """Ask for the overview again and again as its script does, where it is open."""
    ended = threading.Event()
    problems: list[str] = []

    def look() -> None:
        port = processes.told(log, "console_serving", "port")
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            with suppress(OSError):
                connection.request("GET", "/", headers={"X-Fragment": "1"})
                answer = connection.getresponse()
                if answer.status != 200 or b"data-live" not in answer.read():
                    problems.append(f"the overview was answered {answer.status}")
            connection.close()
            if ended.wait(refresh):
                return

    looking = threading.Thread(target=look)
    if is_open:
        looking.start()
    try:
        yield
    finally:
        ended.set()
        if is_open:
            looking.join()
    if problems:
        raise RuntimeError(problems[0])


def _row(server: str, way: str, runs: dict[str, list[tuple[load.Load, float]]]) -> dict[str, Any]:
    """Compare a way with the one without a console, round by round."""
    pairs = list(zip(runs[way], runs["without"], strict=True))
    row = {
        "server": server,
        "console": way,
        "rate": statistics.median(seen.rate for seen, _ in runs[way]),
        "p99_ms": statistics.median(seen.p99_ms for seen, _ in runs[way]),
        "cpu_us": statistics.median(cpu for _, cpu in runs[way]),
        "ratio": statistics.median(ours[0].rate / without[0].rate for ours, without in pairs),
        "cpu_ratio": statistics.median(ours[1] / without[1] for ours, without in pairs),
        "refused": sum(seen.refused for seen, _ in runs[way]),
    }
    verdicts = [] if way == "without" else [targets.at_least(row, "ratio", targets.BESIDE_CONSOLE)]
    return targets.with_verdicts(row, verdicts)
