"""A simulated EMS beside a service that can be killed, and what both of them know afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from soap_handler.ems import Disturbances, EmsAccount, PushSettings, SimulatedEms
from soap_handler.journal import Attempt, Journal, Record, Selection, State, Step

from . import service_process
from .service_process import PASSWORD, REFERENCE, USERNAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNT = EmsAccount(
    reference=REFERENCE, username=USERNAME, password=PASSWORD, push_username=USERNAME, push_password=PASSWORD
)


class Bench:
    """The folder with journal and diary, the EMS, and the service process of the moment."""

    def __init__(self, folder: Path, ems: SimulatedEms, port: int) -> None:
        self.folder = folder
        self.ems = ems
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self.killed: set[int] = set()

    @property
    def acknowledged(self) -> set[str]:
        """The keys of what EMS was answered with 200 so far."""
        return set(self.ems._pusher._acknowledged)

    def start(self) -> None:
        root = str(Path(__file__).parents[2])
        command = [sys.executable, service_process.__file__, str(self.folder), str(self._port), self.ems.inbox_url]
        with (self.folder / "log.txt").open("ab") as log:
            environment = {**os.environ, "PYTHONPATH": root}
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def kill(self) -> None:
        """End the service as a power cut would."""
        assert self._process is not None
        assert self._process.poll() is None, f"it ended by itself:\n{self.log()}"
        self._process.kill()
        self._process.wait()
        self.killed.add(self._process.pid)

    def stop(self) -> None:
        """End the service as an operator would, and expect a clean exit."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(30) == 0, self.log()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def report(self) -> str:
        """Say what EMS counted and waits for, and what the service logged last."""
        failures = Counter(delivery.last_failure for delivery in self.ems.waiting())
        return f"{self.ems.counts()}\nwaiting: {failures}\n{self.log()}"

    def log(self) -> str:
        return (self.folder / "log.txt").read_text()[-4000:]

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.report()
            time.sleep(0.01)  # between two polls

    def books(self) -> Books:
        with Journal(f"sqlite:///{self.folder / 'journal.db'}") as journal:
            return Books(journal, self.folder / "diary.txt")

    def finished(self) -> bool:
        """Whether everything that the journal knows is done, and EMS has nothing left."""
        return self.ems.counts().inbox == 0 and self.books().states <= {State.DONE}


class Books:
    """What the journal and the handler's diary say at one moment."""

    def __init__(self, journal: Journal, diary: Path) -> None:
        self.records: dict[str, Record] = {record.key: record for record in journal.records(Selection())}
        self.attempts: dict[str, list[Attempt]] = defaultdict(list)
        for key, attempt in journal.attempts():
            if attempt.step is Step.HANDLE:
                self.attempts[key].append(attempt)
        self.starts: dict[str, list[int]] = defaultdict(list)
        self.ends: dict[str, list[int]] = defaultdict(list)
        lines = diary.read_text().splitlines() if diary.exists() else []
        for what, key, pid in (line.split() for line in lines):
            (self.starts if what == "start" else self.ends)[key].append(int(pid))

    @property
    def states(self) -> set[State]:
        return {record.state for record in self.records.values()}

    def processes(self, key: str, outcome: str) -> list[int]:
        """Return which processes (their ids) made the attempts that ended so."""
        return [int(one.owner.split(":")[1]) for one in self.attempts[key] if one.outcome == outcome]


@contextlib.contextmanager
def bench(folder: Path, disturbances: Disturbances, seed: int) -> Iterator[Bench]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    pushing = PushSettings(concurrency=4, timeout=10, first_retry=0.02, longest_retry=0.2)
    url = f"http://127.0.0.1:{port}/AccountEventHandler"
    with SimulatedEms([ACCOUNT], url, disturbances=disturbances, push_settings=pushing, seed=seed) as ems:
        built = Bench(folder, ems, port)
        try:
            yield built
        finally:
            built.close()
