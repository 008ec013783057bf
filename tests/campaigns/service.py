"""A real ``soap-handler serve`` as a process: started, killed, frozen, stopped. What it is for, the site knows."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Sections = Mapping[str, Mapping[str, object]]

ROOT: Final = Path(__file__).parents[2]
REFERENCE, USERNAME, PASSWORD = "EX0000001", "ems", "not a secret"


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def configuration(sections: Sections, inbox_url: str, references: Iterable[str] = (REFERENCE,)) -> str:
    """Return a configuration file: these sections, and accounts with an inbox."""
    lines = []
    for name, values in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    login = f"username = {json.dumps(USERNAME)}\npassword = {json.dumps(PASSWORD)}"
    for reference in references:
        lines += ["[[account]]", f"reference = {json.dumps(reference)}", "[[account.push]]", login]
        lines += ["[account.inbox]", f"url = {json.dumps(inbox_url)}", "timeout = 2", login]
    return "\n".join(lines) + "\n"


class Service:
    """One service, which may live several times. Everything that it starts is in one process group."""

    def __init__(self, folder: Path, port: int, environment: Mapping[str, str]) -> None:
        """``folder`` holds ``soap-handler.toml``, and gets the log."""
        self.folder = folder
        self.port = port
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self.gone: set[int] = set()
        """Processes that did not end of their own accord, or were held up past their leases."""

    @property
    def running(self) -> bool:
        """Whether the process is there (frozen or not)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of the present process, which is that of its group."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start a new process; return at once."""
        command = [sys.executable, "-m", "soap_handler", "serve", "--config", str(self.folder / "soap-handler.toml")]
        with (self.folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=self.environment, cwd=self.folder, start_new_session=True
            )

    def answers(self) -> bool:
        """Whether somebody listens."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def processes(self) -> set[int]:
        """Return the ids of the service's processes."""
        return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and self._ours(entry)}

    def _ours(self, entry: Path) -> bool:
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            return False
        return int(fields[2]) == self.pid and fields[0] != "Z"

    def kill(self) -> None:
        """End all processes at once, as a power cut would."""
        self.gone |= self.processes() | {self.pid}
        os.killpg(self.pid, signal.SIGKILL)
        self._reap()

    def kill_one(self, process: int) -> None:
        """End one process. Its siblings are started again or, where it was their parent, drain and end."""
        if process == self.pid:
            self.gone |= self.processes()
        self.gone.add(process)
        os.kill(process, signal.SIGKILL)
        if process == self.pid:
            self._reap(30)

    def freeze(self) -> None:
        """Stop all processes where they are."""
        self.gone |= self.processes() | {self.pid}
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        os.killpg(self.pid, signal.SIGCONT)

    def stop(self, seconds: float = 30) -> int | None:
        """End it as an operator would; return its exit code, or ``None`` when it did not end in time."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def bury(self) -> bool:
        """Take note of an end that nobody ordered; return whether there was one."""
        if self._process is None or self._process.poll() is None:
            return False
        self.gone.add(self._process.pid)
        return True

    def close(self) -> None:
        """Leave nothing running."""
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self.pid, signal.SIGKILL)
            self._reap()

    def _reap(self, seconds: float = 10) -> None:
        assert self._process is not None
        self._process.wait()
        deadline = time.monotonic() + seconds
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.01)  # children of it are init's now, who reaps them

    def log(self) -> str:
        """Return what it said last."""
        file = self.folder / "log.txt"
        return file.read_text(errors="replace")[-2000:] if file.exists() else ""
