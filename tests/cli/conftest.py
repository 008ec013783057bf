"""What the tests of the command line share: the command in this process, in another one, and a configuration."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from soap_handler.cli import main
from tests.support import fork_server
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[2]
CREDENTIALS = ("--username", "ems", "--password", "s3cret", "--account", "EX0012345")


@dataclass(frozen=True)
class Result:
    code: int | str | None
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Result]]:
    """Run the command in this process, in a folder of the test's own; give its exit code and what it wrote."""
    for name in [name for name in os.environ if name.startswith("SOAP_HANDLER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # the folder is put into it, for handlers
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["soap-handler", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        written = capsys.readouterr()
        return Result(end.value.code, written.out, written.err)

    before = logging.getLogger().handlers[:], logging.getLogger().level
    yield call
    logging.getLogger().handlers[:], _ = before
    logging.getLogger().setLevel(before[1])
    structlog.reset_defaults()


def write_configuration(
    folder: Path, more: str = "", *, server: str = "", handler: str = "", account: str = ""
) -> Path:
    """Write a configuration for a service on a free port, with its journal in the folder."""
    path = folder / "soap-handler.toml"
    path.write_text(
        f"""
[server]
port = 0
{server}
[journal]
url = "sqlite:///{folder / "journal.db"}"
[handler]
{handler}
[log]
format = "json"
[[account]]
reference = "EX0012345"
aliases = ["447786204254"]
push = [{{ username = "ems", password = "s3cret" }}]
{account}
{more}
"""
    )
    return path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "soap_handler", *arguments]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SOAP_HANDLER_")}
    return {**clean, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **(more or {})}


class Serving:
    """``soap-handler serve`` in a process of its own: forked, which saves its imports, or executed."""

    process: fork_server.Forked | subprocess.Popen[bytes]

    def __init__(self, folder: Path, *, executed: bool = False) -> None:
        self._log = folder / "serve.log"
        with self._log.open("w") as log, (folder / "serve.out").open("w") as out:
            if executed:
                self.process = subprocess.Popen(command("serve"), cwd=folder, env=environment(), stdout=out, stderr=log)
                return
            self.process = fork_server.start(
                "soap_handler", "serve", cwd=folder, env=environment(), stdout=out.fileno(), stderr=log.fileno()
            )
        self.port = 0
        self.url = ""

    def await_serving(self) -> None:
        """Wait until it listens."""
        wait_for(lambda: self.process.poll() is not None or self.event("serving"))
        assert self.process.poll() is None, self._log.read_text()
        self.port = int(self.event("serving")["port"])
        self.url = f"http://127.0.0.1:{self.port}/AccountEventHandler"

    def events(self) -> list[dict[str, Any]]:
        # the last line may be half written
        return [json.loads(line) for line in self._log.read_text().splitlines(keepends=True) if line.endswith("}\n")]

    def event(self, name: str) -> dict[str, Any]:
        return next((event for event in self.events() if event["event"] == name), {})

    def end(self, signal: int) -> int:
        """Send a signal and return how the process ended."""
        self.process.send_signal(signal)
        return self.process.wait(20)


@contextlib.contextmanager
def serve(folder: Path, *, executed: bool = False) -> Iterator[Serving]:
    """Serve the folder's configuration; whatever happens, the process is gone afterwards."""
    running = Serving(folder, executed=executed)
    try:
        running.await_serving()
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait(10)
