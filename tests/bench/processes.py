"""The processes that are measured: starting them, watching what they use, ending them. Linux only (``/proc``)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench.candidates import ROOT, THIS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.candidates import Candidate

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
HANDLER: Final = '[handler]\ntarget = "tests.bench.handlers:handlers"\n'


@dataclass(frozen=True, slots=True)
class Used:
    """What a process and its children have used so far."""

    cpu: float
    """Seconds."""
    memory: float
    """Resident megabytes of the largest of them."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server under test."""

    process: subprocess.Popen[str]
    url: str
    started_in: float
    """Seconds from its start until it listened."""

    def used(self) -> Used:
        """Return what it has used until now."""
        processes = [self.process.pid, *_children(self.process.pid)]
        statuses = [_stat(pid) for pid in processes]
        return Used(sum(cpu for cpu, _ in statuses), max(memory for _, memory in statuses))


def file_system(folder: str) -> str:
    """Return the kind of file system that a folder is on, such as ``ext4``."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    real = Path(folder).resolve()
    above = [(len(point), kind) for point, kind in mounts if real.is_relative_to(point)]
    return max(reversed(above), key=lambda each: each[0])[1]  # the nearest; of several on one point, the last one


def used_by(pid: int) -> float:
    """Return the seconds of CPU that one process has used."""
    return _stat(pid)[0]


def _stat(pid: int) -> tuple[float, float]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE / 2**20


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextlib.contextmanager
def script(module: str, *arguments: str) -> Iterator[Running]:
    """Run a module that writes its port or its URL to standard output once it listens."""
    command = [sys.executable, "-m", module, *arguments]
    with tempfile.TemporaryFile("w+") as log, _run(command, stdout=subprocess.PIPE, stderr=log) as (process, begun):
        assert process.stdout is not None
        told = process.stdout.readline().strip()
        if not told:
            log.seek(0)
            raise RuntimeError(f"{module} did not start: {log.read()}")
        url = told if told.startswith("http") else f"http://127.0.0.1:{told}/AccountEventHandler"
        yield Running(process, url, time.monotonic() - begun)


@contextlib.contextmanager
def service(
    folder: Path,
    inbox: str | None,
    *,
    journal: str | None = None,
    workers: int = 1,
    candidate: Candidate = THIS,
    throttle: bool = True,
    delivery: str | None = None,
) -> Iterator[Running]:
    """Run ``soap-handler serve`` as a user would, with a handler that does nothing.

    ``delivery`` are tables of the configuration that take the place of the handler: routes and sinks. Without the
    login ``throttle``, wrong passwords are answered at once, however many come.
    """
    configuration = folder / "soap-handler.toml"
    configuration.write_text(_configuration(folder, inbox, journal, workers, delivery, throttle=throttle))
    command = [sys.executable, "-m", "soap_handler", "serve", "--config", str(configuration)]
    own: dict[str, Any] = {"cwd": folder, "env": candidate.environment()}
    with (folder / "log").open("w+") as log, _run(command, stderr=log, **own) as (process, begun):
        port = _port(process, folder / "log")
        yield Running(process, f"http://127.0.0.1:{port}/AccountEventHandler", time.monotonic() - begun)


def _configuration(
    folder: Path, inbox: str | None, journal: str | None, workers: int, delivery: str | None, *, throttle: bool
) -> str:
    account = '[[account]]\nreference = "EX0012345"\npush = [{ username = "ems", password = "s3cret" }]\n'
    if inbox is not None:
        account += f'[account.inbox]\nurl = "{inbox}"\nusername = "user"\npassword = "pass"\n'
    server = f"workers = {workers}\n" if workers > 1 else ""
    server += "" if throttle else "login_failures_allowed = 1000000\n"
    return (
        f'[server]\nport = 0\n{server}[journal]\nurl = "{journal or f"sqlite:///{folder}/journal.db"}"\n'
        f"{delivery or HANDLER}[reconcile]\ninterval = 0\n"
        f'[log]\nformat = "json"\n{account}'
    )


def _port(process: subprocess.Popen[str], log: Path) -> int:
    return told(log, "serving", "port", lambda: process.poll() is None)


def told(log: Path, event: str, field: str, is_alive: Callable[[], bool] = lambda: True) -> int:
    """Return a number in an event of a service's log, once it is there."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and is_alive():
        for line in log.read_text().splitlines():
            if f'"{event}"' in line:
                return int(json.loads(line)[field])
        time.sleep(0.002)
    raise RuntimeError(f"the service did not start: {log.read_text()}")


@contextlib.contextmanager
def _run(
    command: list[str], *, stdout: int | None = subprocess.DEVNULL, stderr: Any = None, cwd: Path = ROOT, **own: Any
) -> Iterator[tuple[subprocess.Popen[str], float]]:
    begun = time.monotonic()
    process: subprocess.Popen[str] = subprocess.Popen(command, stdout=stdout, stderr=stderr, text=True, cwd=cwd, **own)
    try:
        yield process, begun
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
