"""The console over real sockets: smuggled requests name no user, and while it is flooded pushes go on as ever."""

from __future__ import annotations

import socket
import threading
import uuid
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.settings import ConsoleSettings
from tests.console.access.desk import PASSWORD, USERS
from tests.console.asking import get, log_in_as
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PUSHES: Final = 150


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service whose console has users, and a proxy for single sign-on that is somewhere else."""
    console = {"port": 0, "user": USERS, "sso_header": "X-Remote-User", "sso_operators": ["olga"]}
    settings = settings_for(tmp_path_factory.mktemp("attacked"))
    guarded = ConsoleSettings.model_validate({**console, "trusted_proxies": ["192.0.2.1"]})
    with serving(settings.model_copy(update={"console": guarded})) as running:
        yield running


def port_of(service: Service) -> int:
    assert service.app.console is not None
    return service.app.console.port


def answer_to(port: int, request: bytes) -> bytes:
    """Return what comes back for some bytes, until the console closes the connection or says nothing more."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        connection.settimeout(1.0)
        found = b""
        with suppress(TimeoutError, ConnectionError):
            while part := connection.recv(65_536):
                found += part
        return found


@pytest.mark.parametrize(
    "lines",
    [
        b"X-Remote-User: olga",
        b"X_Remote_User: olga",
        b"x-remote-user: olga\r\nX-Forwarded-For: 192.0.2.1",
        b"Forwarded: for=192.0.2.1\r\nX-Remote-User: olga",
        b"X-Real-Ip: 192.0.2.1\r\nX-Remote-User: olga\r\nX-Remote-User: olga",
    ],
)
def test_no_header_from_an_untrusted_address_names_a_user(service: Service, lines: bytes) -> None:
    """The peer of the connection counts, whatever is forwarded."""
    head = b"GET /audit HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: text/html\r\n"
    answer = answer_to(port_of(service), head + lines + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 303 "), answer


SMUGGLED: Final = b"GET /audit HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (5 + len(SMUGGLED)),
        b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED),
        b"Transfer-Encoding: xchunked\r\n\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b" Content-Length: 0\r\n\r\n",
        b"Host: evil.example\r\n\r\n",
    ],
)
def test_a_request_that_reads_in_two_ways_is_refused(service: Service, head: bytes) -> None:
    """A proxy that reads it otherwise would hand on another's request as its own, with the user that it names."""
    answer = answer_to(port_of(service), b"POST /login HTTP/1.1\r\nHost: localhost\r\n" + head + SMUGGLED)
    assert answer.startswith(b"HTTP/1.0 400 "), answer
    assert answer.count(b"HTTP/1.") == 1


@pytest.mark.parametrize(
    "target",
    [
        "/health/../audit",
        "/health/live/../../audit",
        "//audit",
        "/%61udit",
        "/audit%00",
        "http://localhost/audit",
        "/audit?x=/health/live",
        "*",
    ],
)
def test_no_spelling_of_a_path_gets_past(service: Service, target: str) -> None:
    """What is free is a view, not a beginning of a path."""
    status, _, text = get(port_of(service), target, Accept="text/html")
    assert status in {303, 400, 404}
    assert "<table>" not in text


def test_a_body_beyond_bounds_is_refused(service: Service) -> None:
    """It is not kept, in memory or on the disk where the journal is."""
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n"
    assert answer_to(port_of(service), head + b"x" * 300_000).startswith(b"HTTP/1.1 413 ")


def test_pushes_go_on_while_the_console_is_flooded(service: Service) -> None:
    """Guessed passwords, pages, large bodies and silent connections: each push is confirmed, in time, and handled."""
    port, ended = port_of(service), threading.Event()
    sent = [0]

    def guesses() -> None:
        body = b"csrf=0&name=olga&password=" + uuid.uuid4().hex.encode()
        head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n" % len(body)
        answer_to(port, head + b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + body)

    def pages() -> None:
        get(port, "/login", Accept="text/html")

    def large() -> None:
        answer_to(port, b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 200000000\r\n\r\n" + b"x" * 1_000_000)

    def flood(attack: Callable[[], object]) -> None:
        while not ended.is_set():
            with suppress(OSError):
                attack()
                sent[0] += 1

    threads = [threading.Thread(target=flood, args=(each,)) for each in (guesses, guesses, pages, pages, large)]
    for each in threads:
        each.start()
    try:
        push(service)
    finally:
        ended.set()
        for each in threads:
            each.join(30)
    assert sent[0] > len(threads)
    wait_for(lambda: _is_live(port))


def test_silent_connections_keep_none_out(service: Service) -> None:
    """More than the console takes at once, each with half a request: a probe gets through, and pushes go on."""
    port = port_of(service)
    with ExitStack() as stack:
        for _ in range(150):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            silent.sendall(b"POST /login HTTP/1.1\r\nHost: ")
        wait_for(lambda: _is_live(port))  # what has been slow for a quarter of a second gives way
        push(service)
        assert _is_live(port)


def push(service: Service) -> None:
    """Push some messages; each must be confirmed and handled."""
    handled = len(service.handled)
    confirmed = [service.post(message(id=str(uuid.uuid4()))).confirms for _ in range(PUSHES)]
    assert confirmed == ["MessageReceived"] * PUSHES
    wait_for(lambda: len(service.handled) == handled + PUSHES)


def _is_live(port: int) -> bool:
    with suppress(OSError):
        return get(port, "/health/live")[0] == 200
    return False


def test_a_page_that_fails_is_alone_with_it(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in one page shows no traceback; the other pages answer, and pushes are confirmed and handled."""
    cookie = log_in_as(port_of(service), "olga", PASSWORD)

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("soap_handler.console.pages.messages.browse", fail)
    status, _, text = get(port_of(service), "/messages", Cookie=cookie, Accept="text/html")
    assert (status, "ZeroDivisionError" in text, "Traceback" in text) == (500, False, False)
    assert get(port_of(service), "/dead", Cookie=cookie, Accept="text/html")[0] == 200
    push(service)


def test_a_console_that_fails_is_alone_with_it(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in the guard itself lets none in, and no push notices."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("soap_handler.console.access.visitors.Access.visitor", fail)
    status, _, text = get(port_of(service), "/audit", Accept="text/html")
    assert (status, "Traceback" in text) == (500, False)
    assert service.post(message(id=str(uuid.uuid4()))).confirms
