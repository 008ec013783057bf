"""The console is killed, stopped, guessed at or held by slow callers: pushes, dispatch and deletes do not notice.

A real ``serve`` with one worker, which has the console in it, and with two, beside which it is a process of its own.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
import uuid
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import pytest

from soap_handler.accounts.passwords import PasswordHash
from soap_handler.ems import EmsAccount, SimulatedEms
from soap_handler.notifications import MessageReceived
from tests.console.asking import get, log_in_as, ready, token_of
from tests.support.waiting import wait_for
from tests.support.wire import NUMBER, REFERENCE
from tests.system.workers.serving import PASSWORD, Serving, alive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MESSAGES: Final = 40
EMS: Final = EmsAccount(
    reference=REFERENCE, number=NUMBER, username="u", password="p", push_username="ems", push_password=PASSWORD
)
CONSOLE: Final = f"""target = "soap_handler.sinks.stdout:handlers"
timeout = 5
[console]
port = 0
[[console.user]]
name = "olga"
password = "{PasswordHash.of(PASSWORD, ln=4)}"
"""
INBOX: Final = '[account.inbox]\nurl = "{url}"\nusername = "u"\npassword = "p"\n'
each_number_of_workers: Final = pytest.mark.parametrize("workers", [1, 2])


class Besieged:
    """A service and the EMS before it."""

    def __init__(self, serving: Serving, ems: SimulatedEms) -> None:
        self.serving = serving
        self._ems = ems
        self.port = int(serving.events("console_serving")[-1]["port"])
        """The console's."""

    def goes_on(self) -> None:
        """Have EMS push some messages: each is confirmed at once, handled, and out of the inbox at the end."""
        before = self._ems.inbox.mailbox.deleted
        sent = [
            MessageReceived(account=REFERENCE, id=str(uuid.uuid4()), originator=f"4477{n}") for n in range(MESSAGES)
        ]
        self._ems.push_all(sent)
        assert self._ems.wait_until_quiet(60)
        wait_for(lambda: self._ems.inbox.mailbox.deleted == before + MESSAGES, 60)
        assert self._ems.inbox.mailbox.ids() == []
        counts = self._ems.counts()
        assert (counts.sends, counts.given_up) == (counts.acknowledged, 0)  # none had to be sent twice


@contextmanager
def besieged(folder: Path, workers: int) -> Iterator[Besieged]:
    with SimulatedEms([EMS]) as ems:
        serving = Serving(folder, workers)
        serving.configure(handler=CONSOLE)
        with (folder / "soap-handler.toml").open("a") as file:
            file.write(INBOX.format(url=ems.inbox_url))
        with serving:
            wait_for(lambda: serving.events("console_serving"), 30)
            ems.handler_url = f"http://127.0.0.1:{serving.port}/AccountEventHandler"
            yield Besieged(serving, ems)
            assert serving.events("worker_lost") == []
            ems.handler_url = None


def guess(port: int, times: int, seen: list[int]) -> None:
    """Send wrong passwords one after the other, each with the right token."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    cookie, token = token_of(connection)
    for number in range(times):
        form = urlencode({"csrf": token, "name": "olga", "password": f"guess {number}"})
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/login", form, headers)
        answer = connection.getresponse()
        answer.read()
        seen.append(answer.status)
    connection.close()


def beside(target: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments)
    thread.start()
    return thread


@pytest.mark.parametrize("guesses", [400, pytest.param(10_000, marks=pytest.mark.campaign)])
@each_number_of_workers
def test_wrong_logins(tmp_path: Path, workers: int, guesses: int) -> None:
    """None gets in, nearly all are answered 429, and the right password is taken again afterwards."""
    with besieged(tmp_path, workers) as it:
        cookie = log_in_as(it.port, "olga", PASSWORD)
        seen: list[int] = []
        threads = [beside(guess, it.port, guesses // 4, seen) for _ in range(4)]
        it.goes_on()
        for each in threads:
            each.join()
        assert len(seen) == guesses
        assert set(seen) <= {401, 429}
        assert seen.count(429) > guesses * 0.9
        assert get(it.port, "/audit", Cookie=cookie, Accept="text/html")[0] == 200
        assert log_in_as(it.port, "olga", PASSWORD)  # it was right before: known at once


@each_number_of_workers
def test_slow_callers(tmp_path: Path, workers: int) -> None:
    """Slow loris: more connections than the console keeps, each with a byte now and then; a probe gets through."""
    with besieged(tmp_path, workers) as it, ExitStack() as stack:
        ended = threading.Event()
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", it.port), 10)) for _ in range(150)]

        def trickle() -> None:
            for part in iter(lambda: b"X-Slow: 1\r\n", None):
                for each in slow:
                    with suppress(OSError):
                        each.sendall(part)
                if ended.wait(0.2):
                    return

        for each in slow:
            each.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        thread = beside(trickle)
        try:
            it.goes_on()
            wait_for(lambda: is_live(it.port), 30)
        finally:
            ended.set()
            thread.join()


def is_live(port: int) -> bool:
    with suppress(OSError):
        return get(port, "/health/live")[0] == 200
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_console_that_dies_or_hangs(tmp_path: Path, number: int) -> None:
    """Beside two workers: killed, it comes back on its port; stopped, it is not missed, and ends with the service."""
    with besieged(tmp_path, 2) as it:
        process = it.serving.events("console_started")[-1]["process"]
        wait_for(lambda: ready(it.port)[0] == 200, 30)
        os.kill(process, number)
        it.goes_on()
        if number == signal.SIGKILL:
            wait_for(lambda: len(it.serving.events("console_serving")) == 2, 30)
            wait_for(lambda: ready(it.port)[0] == 200, 30)
        else:
            assert it.serving.end(signal.SIGTERM) == 0
            assert not alive(process)
