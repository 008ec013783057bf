"""``soap-handler serve --workers`` in processes of its own, and what can be seen of it from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from soap_handler.contract import NAMESPACE, SOAP_11, soap_action
from soap_handler.journal import Journal, Record, Selection
from tests.support import fast_path, fork_server
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "s3cret"
ROOT = Path(__file__).parents[3]
CONFIGURATION = """
[server]
port = 0
fast_path = "{fast_path}"
{server}
[journal]
url = "{url}"
[handler]
{handler}
[log]
format = "json"
[[account]]
reference = "EX0012345"
push = [{{ username = "ems", password = "{password}" }}]
"""
BODY = f"""<s:Envelope xmlns:s="{SOAP_11}" xmlns="{NAMESPACE}"><s:Header><MessengerHeader>
<Username>ems</Username><Password>%s</Password><Account>EX0012345</Account></MessengerHeader></s:Header>
<s:Body><MessageEvent><id>%s</id><eventtype>Delivered</eventtype><occurredat>2026-03-02T08:00:00Z</occurredat>
</MessageEvent></s:Body></s:Envelope>"""


class Serving:
    """The parent process, and its workers as its log tells of them."""

    def __init__(self, folder: Path, workers: int, url: str | None = None) -> None:
        self.folder = folder
        self.url = url or f"sqlite:///{folder / 'journal.db'}"
        self._command = ["soap_handler", "serve", "--workers", str(workers)]
        self._workers = workers

    def configure(self, *, server: str = "drain_timeout = 5", handler: str = "", password: str = PASSWORD) -> None:
        told = CONFIGURATION.format(
            server=server, handler=handler, url=self.url, password=password, fast_path=fast_path.chosen()
        )
        (self.folder / "soap-handler.toml").write_text(told)

    def start(self) -> None:
        """Start it; it may not have come far when this returns."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SOAP_HANDLER_")}
        environment = {**clean, "PYTHONPATH": str(ROOT)}
        with (self.folder / "serve.log").open("a") as log, (self.folder / "serve.out").open("a") as out:
            self.process = fork_server.start(
                *self._command, cwd=self.folder, env=environment,
                stdout=out.fileno(), stderr=log.fileno(), start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Self:
        self.start()
        self.wait_until_serving()
        return self

    def wait_until_serving(self) -> None:
        """Wait until every worker serves."""
        wait_for(lambda: self.process.poll() is not None or len(self.events("serving")) == self._workers)
        assert self.process.poll() is None, self.log()
        self.port = int(self.events("serving")[0]["port"])

    def __exit__(self, *_: object) -> None:
        self.end_all()

    def end_all(self) -> None:
        """End whatever is left of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def log(self) -> str:
        return (self.folder / "serve.log").read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [line for line in self.log().splitlines(keepends=True) if line.endswith("}\n")]
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def has_served(self, times: int) -> bool:
        """Whether so many workers have begun to serve since the start."""
        return len(self.events("serving")) == times

    def workers(self) -> list[int]:
        """Return the ids of the workers that were started and not seen to end."""
        ended = {event["process"] for event in self.events("worker_lost") + self.events("worker_ended")}
        return [event["process"] for event in self.events("worker_started") if event["process"] not in ended]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def push(self, identity: str, password: str = PASSWORD) -> bool:
        """Push one delivery event on a connection of its own; return whether it was acknowledged."""
        body = (BODY % (password, identity)).encode()
        head = (
            f'Host: x\r\nConnection: close\r\nSOAPAction: "{soap_action("MessageEvent")}"\r\nContent-Type: text/xml\r\n'
        )
        request = f"POST /AccountEventHandler HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        try:
            with socket.create_connection(("127.0.0.1", self.port), 20) as connection:
                connection.sendall(request)
                return connection.makefile("rb").readline().startswith(b"HTTP/1.1 200")
        except (ConnectionError, TimeoutError):
            return False

    def push_until_acknowledged(self, identity: str, seconds: float = 20) -> None:
        wait_for(lambda: self.push(identity), seconds)

    def refuses(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except ConnectionRefusedError:
            return True
        return False

    def records(self) -> list[Record]:
        with Journal(self.url) as journal:
            return journal.records(Selection())


def alive(process: int) -> bool:
    """Whether a process that is not our child is running."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def started(folder: Path, workers: int = 2, *, url: str | None = None, **configuration: str) -> Iterator[Serving]:
    """Serve; whatever happens, no process is left."""
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    serving = Serving(folder, workers, url)
    serving.configure(**configuration)
    with serving:
        yield serving
