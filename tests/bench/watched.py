"""``python -m tests.bench.watched``: what it costs a burst that metrics are scraped and ``status --watch`` runs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tests.bench import books, load, long_journal, processes
from tests.bench.candidates import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRAPE_SECONDS: Final = 1.0
_PATIENCE: Final = 600.0  # seconds for working off what is left
_ALONE_SECONDS: Final = 20.0
_ORDER: Final = (False, True, True, False)  # so that a drift of the machine falls on both alike


@dataclass(frozen=True, slots=True)
class Window:
    """Some seconds of a burst."""

    rate: float
    cpu_us: float
    """Of the service, its scrapes included, for each push."""
    watching: float
    """The share of one processor that the watcher took."""
    scrapes: int


def main(
    rows: Annotated[int, typer.Option(min=1000, help="Notifications in the journal before.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="Of four windows: quiet, watched, watched, quiet.")] = 3,
    seconds: Annotated[int, typer.Option(min=1, help="Of each window.")] = 5,
    connections: Annotated[int, typer.Option(min=1, help="That push.")] = 8,
) -> None:
    """Push at one service, with and without watchers in turns; print each window, and the ratios of the two kinds.

    On a machine that does other work, what the watchers take of a processor is the measure; rates are not.
    """
    with tempfile.TemporaryDirectory() as folder:
        journal = f"sqlite:///{folder}/journal.db"
        typer.echo(f"filling a journal with {rows:,} rows")
        long_journal.make(journal, rows)
        quiet, watched = _measured(Path(folder), journal, rounds, seconds, connections)
    for what in ("rate", "cpu_us"):
        pairs = [getattr(one, what) / getattr(other, what) for one, other in zip(watched, quiet, strict=True)]
        told = " ".join(f"{pair:.3f}" for pair in pairs)
        typer.echo(f"{what} watched / quiet: median {statistics.median(pairs):.3f}; {told}")


def _measured(
    folder: Path, journal: str, rounds: int, seconds: int, connections: int
) -> tuple[list[Window], list[Window]]:
    """Return the quiet windows and the watched ones, in pairs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    candidate = Candidate(settings={"console.port": str(port)})
    found: dict[bool, list[Window]] = {False: [], True: []}
    with (
        processes.script("tests.bench.inbox") as inbox,
        processes.service(folder, inbox.url, journal=journal, candidate=candidate) as started,
    ):
        load.warm_up(started.url, connections)
        for number in range(4 * rounds):
            is_watched = _ORDER[number % 4]
            books.wait_until_done(journal, _PATIENCE)
            with _watching(folder, port) if is_watched else contextlib.nullcontext() as watcher:
                window = _window(started, watcher, seconds, connections)
            found[is_watched].append(window)
            typer.echo(
                f"{'watched' if is_watched else 'quiet  '} {window.rate:8.0f}/s {window.cpu_us:7.0f} us CPU a push, "
                f"{window.scrapes} scrapes, the watcher {window.watching:.1%}"
            )
        books.wait_until_done(journal, _PATIENCE)
        _tell_the_cost_alone(started, folder, port)
    return found[False], found[True]


def _tell_the_cost_alone(started: processes.Running, folder: Path, port: int) -> None:
    """Say what the watchers take of one processor while nothing is pushed: no other work is in that figure."""
    shares = []
    for is_watched in (False, True):
        with _watching(folder, port) if is_watched else contextlib.nullcontext() as watcher:
            cpu, looked, began = started.used().cpu, watcher.cpu() if watcher else 0.0, time.monotonic()
            time.sleep(_ALONE_SECONDS)
            took = time.monotonic() - began
            shares.append((started.used().cpu - cpu) / took)
            looked = (watcher.cpu() if watcher else 0.0) - looked
            scrapes = watcher.scrapes if watcher else 0
    typer.echo(
        f"nothing pushed: of one processor {scrapes} scrapes in {took:.0f} s take {shares[1] - shares[0]:.1%} in the "
        f"service, the watcher {looked / took:.1%} in its own process"
    )


def _window(started: processes.Running, watcher: _Watcher | None, seconds: int, connections: int) -> Window:
    before, began = started.used().cpu, time.monotonic()
    watched = watcher.cpu() if watcher else 0.0
    seen = load.push(started.url, connections, seconds)
    after, took = started.used().cpu, time.monotonic() - began
    watched = (watcher.cpu() if watcher else 0.0) - watched
    cpu_us = (after - before) / max(1, seen.answered) * 1e6
    return Window(seen.rate, cpu_us, watched / took, watcher.scrapes if watcher else 0)


class _Watcher:
    """``status --watch``, and a thread that scrapes as Prometheus does."""

    def __init__(self, folder: Path, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/metrics"
        self.scrapes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._scrape, daemon=True)
        command = [sys.executable, "-m", "soap_handler", "status", "--watch", "--config", "soap-handler.toml"]
        self._process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, env=dict(os.environ))

    def begin(self) -> None:
        """Return after the first look: the start of the command is not the cost of a look."""
        output = self._process.stdout
        assert output is not None
        output.readline()
        threading.Thread(target=output.read, daemon=True).start()
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join(30)
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)

    def cpu(self) -> float:
        """Return the seconds that it has used."""
        return processes.used_by(self._process.pid)

    def _scrape(self) -> None:
        while not self._stop.wait(SCRAPE_SECONDS):
            with urllib.request.urlopen(self._url, timeout=30) as answer:  # noqa: S310 - the address is ours
                answer.read()
            self.scrapes += 1


@contextlib.contextmanager
def _watching(folder: Path, port: int) -> Iterator[_Watcher]:
    watcher = _Watcher(folder, port)
    try:
        watcher.begin()
        yield watcher
    finally:
        watcher.end()


if __name__ == "__main__":
    typer.run(main)
