"""``serve`` ends when it should: whatever a handler leaves behind, and when all of its handlers hang."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import Journal, Selection, State
from tests.cli.conftest import Run, Serving, environment, write_configuration
from tests.cli.test_serve import push
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

LEAVING = """
import multiprocessing, os, threading, time
from pathlib import Path

HERE = Path.cwd()
os.chdir("elsewhere")

def handle(notification):
    threading.Thread(target=time.sleep, args=(600,), name="left", daemon=False).start()
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    child.start()
    (HERE / "child").write_text(str(child.pid))
"""
HANGING = "import time\n\ndef handle(notification):\n    time.sleep(600)\n"
SOON = """
from soap_handler.cli import main, serve
serve._EXIT_SECONDS = 0.2
main()
"""


class ServingSoon(Serving):
    """``serve`` whose leftovers get little time to end."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "serve.log"
        with self._log.open("w") as log, (folder / "serve.out").open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SOON, "serve"], cwd=folder, env=environment(), stdout=out, stderr=log
            )


def send(serving: Serving, *identities: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=10)
    try:
        assert [push(connection, identity) for identity in identities] == [200] * len(identities)
    finally:
        connection.close()


def test_what_a_handler_leaves_behind_holds_up_nothing(tmp_path: Path) -> None:
    """A thread and a forked child that never end, and another directory: the journal stays, the process ends with 0.

    The child, which lives on, has neither the port nor a connection.
    """
    (tmp_path / "leaving.py").write_text(LEAVING)
    (tmp_path / "elsewhere").mkdir()
    path = write_configuration(tmp_path, server="drain_timeout = 5", handler='target = "leaving:handle"')
    path.write_text(path.read_text().replace(f"sqlite:///{tmp_path / 'journal.db'}", "sqlite:///journal.db"))
    serving = ServingSoon(tmp_path)
    child = 0
    try:
        serving.await_serving()
        with socket.create_connection(("127.0.0.1", serving.port), 10) as idle:
            send(serving, "1")
            wait_for(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
            child = int((tmp_path / "child").read_text())
            with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
                wait_for(lambda: [each.state for each in journal.records(Selection())] == [State.DONE])
            serving.process.send_signal(signal.SIGTERM)
            assert idle.recv(1) == b"", "the connection is closed, although the child lives"
        assert serving.process.wait(20) == 0
        os.kill(child, 0)  # it lives
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", serving.port), 10)
        assert "left" in serving.event("exit_forced")["threads"]
    finally:
        if child:
            os.kill(child, signal.SIGTERM)  # whose handler in the service is not the child's
        if serving.process.poll() is None:
            serving.process.kill()
            serving.process.wait(10)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_when_all_handlers_hang_it_ends_to_be_started_again(tmp_path: Path) -> None:
    """Code 3, said in the log; each attempt counts, and nothing is lost."""
    (tmp_path / "hanging.py").write_text(HANGING)
    write_configuration(tmp_path, handler='target = "hanging:handle"\nthreads = 1\ntimeout = 0.1\nmax_attempts = 1')
    serving = Serving(tmp_path)
    try:
        serving.await_serving()
        send(serving, *map(str, range(11)))
        assert serving.process.wait(20) == 3
    finally:
        if serving.process.poll() is None:
            serving.process.kill()
            serving.process.wait(10)
    assert serving.event("dispatch_stands_still")["hanging"] == 9
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        found = [record.state for record in journal.records(Selection()) if not record.leased]
    assert sorted(found) == [State.DEAD] * 9 + [State.RECEIVED] * 2


@pytest.mark.parametrize(
    ("module", "ignore", "problem"),
    [
        ("from soap_handler import Handlers\nhandlers = Handlers()\n", "[]", "has no handler for MessageReceived, "),
        (
            "from soap_handler import Handlers\nhandlers = Handlers()\nhandlers.message_received(lambda _: None)\n",
            '["MessageEvent", "MessageError"]',
            "has no handler for SubscriptionEvent; ",
        ),
        ("def handlers(told): pass\n", '["MessageEvent"]', "handler.ignore names MessageEvent, "),
        ("def handlers(told): pass\n", '["MessageEvents"]', "handler.ignore[0] is 'MessageEvents'; expected "),
    ],
)
def test_a_kind_without_a_handler_keeps_it_from_starting(
    tmp_path: Path, run: Run, module: str, ignore: str, problem: str
) -> None:
    """``check`` says the same as ``serve``, and names what to set."""
    name = f"gaps_{zlib.crc32(module.encode() + ignore.encode())}"  # a module is loaded once
    (tmp_path / f"{name}.py").write_text(module)
    write_configuration(tmp_path, handler=f'target = "{name}:handlers"\nignore = {ignore}')
    checked, served = run("check"), run("serve")
    assert (checked.code, served.code) == (1, 2)
    assert problem in checked.out
    assert problem in served.err


def test_the_standard_output_does_not_empty_an_inbox_by_default(tmp_path: Path, run: Run) -> None:
    """``check`` and ``serve`` ask for the name of the sink; with it, both take it."""
    inbox = 'inbox = { url = "http://127.0.0.1:9/", username = "u", password = "p" }'
    write_configuration(tmp_path, account=inbox)
    checked, served = run("check"), run("serve")
    assert (checked.code, served.code) == (1, 2)
    assert "soap_handler.sinks.stdout:handlers" in checked.out
    assert "soap_handler.sinks.stdout:handlers" in served.err
    write_configuration(tmp_path, account=inbox, handler='target = "soap_handler.sinks.stdout:handlers"')
    assert run("check").code == 0
