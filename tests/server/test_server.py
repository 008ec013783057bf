"""Listening, and stopping without losing an answer. Raw sockets against the real server."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from waitress import task, wasyncore
from waitress.task import ThreadedTaskDispatcher

from soap_handler.accounts.accounts import Accounts
from soap_handler.faces.soap.endpoint import Endpoint
from soap_handler.receive.receiver import Receiver
from soap_handler.server import server as server_module
from soap_handler.server.server import Server, end_threads
from soap_handler.settings import ServerSettings
from tests.faces.soap.answers import assert_proper
from tests.support.service import serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import Answer, Connection, ask, message, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIEnvironment


FACE = Endpoint(Receiver(Accounts([])))


def built(application: Callable[..., list[bytes]], settings: ServerSettings) -> Server:
    """Return a server of an application of our own; what HTTP refuses is answered in the SOAP face's form."""
    return Server(application, settings, lambda _path, _type: FACE)


class Gated:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        body = environ["wsgi.input"].read()
        self.entered.release()
        assert self.open.wait(10)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]


class Running:
    """A server in a thread, and what its ``run`` returned."""

    def __init__(self, application: Gated, drain: float) -> None:
        self.server = built(application, ServerSettings(port=0, threads=2))
        self.port = self.server.port
        self.drained: bool | None = None
        self._drain = drain
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        self.drained = self.server.run(self._drain)

    def join(self) -> None:
        self.thread.join(10)
        assert not self.thread.is_alive()


@contextlib.contextmanager
def running(application: Gated, drain: float = 5.0) -> Iterator[Running]:
    before = set(threading.enumerate())
    server = Running(application, drain)
    try:
        yield server
    finally:
        application.open.set()
        server.server.stop()
        server.join()
    wait_for(lambda: set(threading.enumerate()) <= before)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


def test_a_drain_answers_everything_that_is_in_flight() -> None:
    """Requests that run, that wait for a thread, and that wait behind another on their connection are answered."""
    gated = Gated()
    with running(gated) as server, contextlib.ExitStack() as stack:
        callers = [stack.enter_context(Connection(server.port)) for _ in range(6)]
        idle = stack.enter_context(Connection(server.port))
        for number, caller in enumerate(callers):
            caller.send(request(b"%d" % number))
        assert gated.entered.acquire(timeout=5)
        server.server.stop()
        assert idle.at_end
        assert not is_listening(server.port)
        assert server.thread.is_alive()
        gated.open.set()
        for number, caller in enumerate(callers):
            answer = caller.answer()
            assert (answer.status, answer.body) == (200, b"%d" % number)
            assert answer.headers["connection"] == "close"
            assert caller.at_end
        server.join()
        assert server.drained is True


def test_a_drain_finishes_a_request_that_is_arriving() -> None:
    """A caller in the middle of sending may finish, and is answered."""
    gated = Gated()
    gated.open.set()
    with running(gated) as server, Connection(server.port) as caller:
        caller.send(request(b"1234567890")[:-5])
        wait_for(lambda: any(channel.request for channel in server.server.connections))
        server.server.stop()
        wait_for(lambda: not is_listening(server.port))
        assert caller.ask(b"67890").body == b"1234567890"
        server.join()
        assert server.drained is True


def test_a_drain_ends_however_busy_a_connection_is() -> None:
    """A caller that sends its next request at once is told that its connection ends."""
    gated = Gated()
    gated.open.set()
    answers: list[Answer] = []

    def push() -> None:
        with Connection(server.port) as caller:
            while not answers or "connection" not in answers[-1].headers:
                answers.append(caller.ask(request(b"x")))

    with running(gated, drain=30) as server:
        pusher = threading.Thread(target=push)
        pusher.start()
        wait_for(lambda: len(answers) > 20)
        began = time.monotonic()
        server.server.stop()
        server.join()
        pusher.join()
        assert time.monotonic() - began < 3
        assert server.drained is True


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"POST / HT", b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf"])
def test_a_drain_does_not_wait_for_callers_that_say_nothing_more(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle connection, and a request whose sender fell silent, cost at most a short wait."""
    monkeypatch.setattr(server_module, "SILENCE_SECONDS", 0.3)
    gated = Gated()
    with running(gated, drain=30) as server, Connection(server.port) as caller:
        caller.send(sent)
        wait_for(lambda: server.server.connections)
        began = time.monotonic()
        server.server.stop()
        server.join()
        assert time.monotonic() - began < 2
        assert server.drained is True
        with contextlib.suppress(ConnectionResetError):
            assert caller.at_end


def test_a_drain_that_takes_too_long_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """After its time it gives up what is still running, and returns false."""
    gated = Gated()
    caplog.set_level(logging.CRITICAL)
    with running(gated, drain=0.1) as server, Connection(server.port) as caller:
        caller.send(request(b"x"))
        assert gated.entered.acquire(timeout=5)
        server.server.stop()
        server.join()
        assert server.drained is False


def test_the_end_of_a_drain_is_not_measured_by_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step ahead cuts no request off, as waitress's own wait would; a step back prolongs nothing."""
    begun, go_on = threading.Event(), threading.Event()

    class Task:
        def service(self) -> None:
            begun.set()
            assert go_on.wait(10)

    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(1)
    dispatcher.add_task(Task())
    assert begun.wait(10)
    hours = iter(range(99))
    monkeypatch.setattr(task, "time", SimpleNamespace(time=lambda: 3600.0 * next(hours)))
    threading.Timer(0.1, go_on.set).start()
    end_threads(dispatcher, timeout=10)
    assert not dispatcher.threads


def test_stopping_twice_and_before_running_is_harmless() -> None:
    """A second signal during or after the drain breaks nothing; a server that never ran gives back its port."""
    before = set(threading.enumerate())
    server = built(Gated(), ServerSettings(port=0))
    server.stop()
    server.stop()
    assert server.run(5)
    server.stop()
    assert not is_listening(server.port)
    wait_for(lambda: set(threading.enumerate()) <= before)


def test_a_port_in_use_is_an_error_at_once() -> None:
    """Two servers cannot listen on one port, and the second says so before anything else starts."""
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        built(Gated(), ServerSettings(port=taken.getsockname()[1]))
    wait_for(lambda: set(threading.enumerate()) <= before)


def test_a_defect_of_ours_is_a_server_fault(caplog: pytest.LogCaptureFixture) -> None:
    """What breaks outside the SOAP face is our fault too: the caller is asked to come back."""

    def broken(_environ: WSGIEnvironment, _start: StartResponse) -> list[bytes]:
        raise RuntimeError("the password is s3cret")

    caplog.set_level(logging.CRITICAL + 1)
    server = built(broken, ServerSettings(port=0))
    thread = threading.Thread(target=server.run, args=(5,))
    thread.start()
    try:
        answer = ask(server.port, request(message()))
    finally:
        server.stop()
        thread.join()
    assert_proper(answer)
    assert answer.fault == ("Server", "Internal error; please send it again")


def test_many_that_connect_at_once_are_accepted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst of new connections does not take as many turns of the loop, each of which looks at all of them."""
    many, turns = 100, 0
    begin = threading.Event()
    loop = wasyncore.loop

    def counting(**how: Any) -> None:
        nonlocal turns
        begin.wait(10)
        turns += 1
        loop(**how)

    monkeypatch.setattr(wasyncore, "loop", counting)
    with running(Gated()) as server, contextlib.ExitStack() as stack:
        for _ in range(many):
            stack.enter_context(Connection(server.port))
        begin.set()
        wait_for(lambda: len(server.server.connections) == many)
        assert turns < many / 4


def test_nothing_acknowledged_is_missing_when_the_service_stops_in_full_flow(tmp_path: Path) -> None:
    """Many callers push while it stops: each either got its answer and is in the journal, or knows that it did not."""
    with serving(settings_for(tmp_path)) as service:
        acknowledged: list[str] = []

        def push() -> None:
            with contextlib.suppress(OSError, AssertionError):  # the end of the service, as a caller sees it
                while True:
                    identity = str(uuid.uuid4())
                    if ask(service.port, request(message(id=identity))).confirms:
                        acknowledged.append(identity)

        callers = [threading.Thread(target=push) for _ in range(8)]
        for caller in callers:
            caller.start()
        wait_for(lambda: len(acknowledged) > 50)
        service.stop()
        for caller in callers:
            caller.join()
        assert service.drained is True
    with serving(settings_for(tmp_path)) as again:
        wait_for(lambda: len(service.handled) + len(again.handled) >= len(acknowledged))
        handled = {getattr(each, "id", "") for each in service.handled + again.handled}
        assert set(acknowledged) <= handled
