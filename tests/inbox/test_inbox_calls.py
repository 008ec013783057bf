"""What goes over the wire when the inbox is called, and what every wrong answer is taken for."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from soap_handler.contract import NAMESPACE, SOAP_11
from soap_handler.errors import (
    InboxError,
    InboxFaultError,
    InboxRefusedError,
    InboxUnavailableError,
    MessageGoneError,
)
from soap_handler.inbox import Inbox
from tests.inbox.servers import Call, Connection, Server, always, envelope, fault, http, response, right, settings

if TYPE_CHECKING:
    from collections.abc import Callable

_ID = "00112233-4455-6677-8899-aabbccddeeff"
_OTHER = "ffeeddcc-bbaa-9988-7766-554433221100"
_RIGHT = response("DeleteMessage")


def _delete(server: Server, *ids: str, timeout: float = 5.0) -> None:
    inbox = Inbox("EX0012345", settings(server.url, timeout=timeout))
    try:
        inbox.delete(ids or (_ID,))
    finally:
        inbox.close()


# -- the right ones --


def test_one_message_is_deleted_by_delete_message() -> None:
    """One id goes out as DeleteMessage, with the header and the SOAPAction of the contract."""
    with Server(right) as server:
        _delete(server, _ID)
    [call] = server.calls
    assert (call.operation, call.ids) == ("DeleteMessage", [_ID])
    root = etree.fromstring(call.body.encode())
    header = root.find(f"{{{SOAP_11}}}Header/{{{NAMESPACE}}}MessengerHeader")
    assert header is not None
    assert [(str(child.tag), child.text) for child in header] == [
        (f"{{{NAMESPACE}}}Username", "someone"),
        (f"{{{NAMESPACE}}}Password", "secret"),
        (f"{{{NAMESPACE}}}Account", "EX0012345"),
    ]


def test_several_messages_are_deleted_by_one_call() -> None:
    """Several ids go out as one DeleteMessages."""
    with Server(right) as server:
        _delete(server, _ID, _OTHER)
    assert [(call.operation, call.ids) for call in server.calls] == [("DeleteMessages", [_ID, _OTHER])]


def test_no_message_is_no_call() -> None:
    """Where nothing is to be deleted, EMS is not called."""
    with Server(right) as server:
        inbox = Inbox("EX0012345", settings(server.url))
        inbox.delete([])
        inbox.close()
    assert server.calls == []


def test_the_login_is_checked_by_a_call_that_changes_nothing() -> None:
    """The messages of a day long past are asked for; any confirmed answer will do."""
    with Server(right) as server:
        inbox = Inbox("EX0012345", settings(server.url))
        inbox.check_login()
        inbox.close()
    [call] = server.calls
    assert call.operation == "GetMessagesForDay"
    assert "year>2000<" in call.body


@pytest.mark.parametrize(
    "body",
    [
        _RIGHT,
        "\ufeff" + _RIGHT,
        "\r\n" + _RIGHT,
        envelope(f'<DeleteMessageResponse xmlns="{NAMESPACE}"><Extra>1</Extra></DeleteMessageResponse>'),
        envelope(f'<!-- hello --><DeleteMessageResponse xmlns="{NAMESPACE}"/><Extra/>'),
        _RIGHT.replace("<soap:Body>", "<soap:Header><Unknown/></soap:Header><soap:Body>"),
        _RIGHT.replace("?>", "?><?pi target?>", 1),
    ],
    ids=["plain", "bom", "blank-line", "extra-inside", "extra-beside", "header", "instruction"],
)
def test_a_delete_that_succeeded_does_not_fail_on_what_else_is_said(body: str) -> None:
    """The response element confirms, whatever stands in it or beside it."""
    with Server(always(200, body)) as server:
        _delete(server)


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    """HTTP/1.0 manners are understood."""

    def answer(_: Call, connection: Connection) -> None:
        connection.socket.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n" + _RIGHT.encode())
        connection.hang_up()

    with Server(answer) as server:
        _delete(server)


def test_a_chunked_answer_after_100_continue_is_understood() -> None:
    """IIS may say 100 Continue first, and may chunk."""
    body = f"{len(_RIGHT):x}\r\n{_RIGHT}\r\n0\r\n\r\n"

    def answer(_: Call, connection: Connection) -> None:
        connection.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + http(200, body, "Transfer-Encoding: chunked"))

    with Server(answer) as server:
        _delete(server)


def test_the_connection_is_kept_alive() -> None:
    """Deletes one after the other share a connection: a TLS handshake for each would cost more than the delete."""
    with Server(right) as server:
        inbox = Inbox("EX0012345", settings(server.url))
        for _ in range(3):
            inbox.delete([_ID])
        inbox.close()
    assert (len(server.calls), server.connections) == (3, 1)


def test_many_threads_may_call_at_once() -> None:
    """No two threads share a connection at once; the parsed WSDL is shared."""
    errors: list[BaseException] = []

    def delete_some(inbox: Inbox) -> None:
        try:
            for _ in range(10):
                inbox.delete([_ID, _OTHER])
        except InboxError as error:
            errors.append(error)

    with Server(right) as server:
        inbox = Inbox("EX0012345", settings(server.url))
        threads = [threading.Thread(target=delete_some, args=(inbox,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        inbox.close()
    assert errors == []
    assert {tuple(call.ids) for call in server.calls} == {(_ID, _OTHER)}
    assert len(server.calls) == 80
    assert server.connections <= 8  # fewer where one thread ends before another begins


# -- the wrong ones --

_HTML = "<html><head><title>Oops</title></head><body><p>Runtime error</p></body></html>"
_BROKEN_HTML = "<html><body><p>Runtime error<br>"

_WRONG: dict[str, Callable[[Call, Connection], None]] = {
    "500-plain": always(500, "Internal Server Error"),
    "500-html": always(500, _HTML),
    "500-empty": always(500, ""),
    "500-confirmed": always(500, _RIGHT),
    "503-html": always(503, _BROKEN_HTML),
    "404": always(404, _HTML),
    "200-html": always(200, _HTML),
    "200-broken-html": always(200, _BROKEN_HTML),
    "200-empty": always(200, ""),
    "200-blank": always(200, " \r\n"),
    "200-empty-body": always(200, envelope("")),
    "200-no-body": always(200, f'<soap:Envelope xmlns:soap="{SOAP_11}"/>'),
    "200-other-operation": always(200, response("GetMessages")),
    "200-request-echoed": always(200, envelope(f'<DeleteMessage xmlns="{NAMESPACE}"/>')),
    "200-other-namespace": always(200, envelope('<DeleteMessageResponse xmlns="elsewhere"/>')),
    "200-no-namespace": always(200, envelope("<DeleteMessageResponse/>")),
    "200-confirmed-too-late": always(200, envelope(f'<x/><DeleteMessageResponse xmlns="{NAMESPACE}"/>')),
    "200-cut-xml": always(200, _RIGHT[:-10]),
    "200-cut-short": always(200, _RIGHT, f"Content-Length: {len(_RIGHT) + 10}", "Connection: close"),
    "202": always(202, ""),
    "204": always(204, ""),
    "302": always(302, "", "Location: http://127.0.0.1:9/"),
    "307-confirmed": always(307, _RIGHT, "Location: http://127.0.0.1:9/"),
    "407": always(407, ""),
    "bad-gzip": always(200, b"not gzip", "Content-Encoding: gzip"),
    "bad-chunks": always(200, "zzz\r\n", "Transfer-Encoding: chunked"),
    "no-http": lambda _, connection: connection.socket.sendall(b"220 smtp.example.com ESMTP\r\n"),
    "hang-up": lambda _, connection: connection.hang_up(),
    "reset": lambda _, connection: connection.reset(),
    "nothing": lambda _, connection: connection.say_nothing(),
    "drips-status": lambda _, connection: connection.drip(b"HTTP/1.1 200 O"),
    "drips-headers": lambda _, connection: connection.drip(b"HTTP/1.1 200 OK\r\nX: "),
    "drips-body": lambda _, connection: connection.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n "),
    "drips-chunks": lambda _, connection: connection.drip(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 10**5
    ),
    "entities": always(200, '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'),
    "nested": always(200, "<x>" * 10**5),
}


@pytest.mark.parametrize("wrong", _WRONG.values(), ids=_WRONG.keys())
def test_what_does_not_confirm_is_unavailable_and_in_time(wrong: Callable[[Call, Connection], None]) -> None:
    """No confirmation, no delete; and however an answer dawdles, the call ends within its time."""
    began = time.monotonic()
    with Server(wrong) as server, pytest.raises(InboxUnavailableError) as caught:
        _delete(server, timeout=0.4)
    assert time.monotonic() - began < 2
    assert not isinstance(caught.value, InboxFaultError)
    assert len(str(caught.value)) < 80
    assert "Runtime error" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def test_drips_are_bounded_on_a_connection_that_is_kept_alive_too() -> None:
    """The deadline starts anew with each answer, and is as strict for the second as for the first."""

    def answer(call: Call, connection: Connection) -> None:
        right(call, connection) if len(server.calls) == 1 else connection.drip(b"HTTP/1.1 200 O")

    with Server(answer) as server:
        inbox = Inbox("EX0012345", settings(server.url, timeout=0.4))
        inbox.delete([_ID])
        began = time.monotonic()
        with pytest.raises(InboxUnavailableError):
            inbox.delete([_ID])
        inbox.close()
    assert time.monotonic() - began < 2


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    """An answer without end costs no more memory than the largest that is sensible."""

    def answer(_: Call, connection: Connection) -> None:
        connection.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n")
        while not connection.closing.is_set():
            connection.socket.sendall(b" " * 1024 * 1024)

    with Server(answer) as server, pytest.raises(InboxUnavailableError, match="more than 33554432 bytes"):
        _delete(server, timeout=30)


@pytest.mark.parametrize("end", [Connection.hang_up, Connection.reset])
def test_a_kept_connection_that_ends_just_then_is_no_failure(end: Callable[[Connection], None]) -> None:
    """A server that keeps connections for so long closes some as the next call arrives: it is made once more."""

    def answer(call: Call, connection: Connection) -> None:
        end(connection) if len(server.calls) == 2 else right(call, connection)

    with Server(answer) as server:
        inbox = Inbox("EX0012345", settings(server.url))
        inbox.delete([_ID])
        inbox.delete([_OTHER])
        inbox.close()
    assert [call.ids for call in server.calls] == [[_ID], [_OTHER], [_OTHER]]
    assert server.connections == 2


def test_a_server_that_closes_each_connection_is_asked_twice_and_no_more() -> None:
    """Once over the kept connection, and once over a new one, whose end is a failure."""

    def answer(call: Call, connection: Connection) -> None:
        right(call, connection) if len(server.calls) == 1 else connection.hang_up()

    with Server(answer) as server:
        inbox = Inbox("EX0012345", settings(server.url))
        inbox.delete([_ID])
        with pytest.raises(InboxUnavailableError, match="closed without an answer"):
            inbox.delete([_OTHER])
        inbox.close()
    assert [call.ids for call in server.calls] == [[_ID], [_OTHER], [_OTHER]]


def test_after_a_failure_the_next_call_works() -> None:
    """A reset connection is not used again."""

    def answer(call: Call, connection: Connection) -> None:
        connection.reset() if len(server.calls) == 1 else right(call, connection)

    with Server(answer) as server:
        inbox = Inbox("EX0012345", settings(server.url))
        with pytest.raises(InboxUnavailableError):
            inbox.delete([_ID])
        inbox.delete([_ID])
        inbox.close()


def test_a_port_without_a_listener_is_unavailable_and_says_why() -> None:
    """A refused connection is named as such, without the address."""
    with Server(right) as server:
        pass
    with pytest.raises(InboxUnavailableError, match=r"^ConnectionError \(Connection refused\)$"):
        _delete(server)


@pytest.mark.parametrize("status", [401, 403])
def test_http_401_and_403_are_refusals(status: int) -> None:
    """They are about who we are, so a person must look."""
    with Server(always(status, _HTML)) as server, pytest.raises(InboxRefusedError, match=f"^HTTP {status}$"):
        _delete(server)


def test_a_redirect_is_not_followed() -> None:
    """The password goes to the address of the settings only."""
    with Server(right) as elsewhere:
        redirect = always(307, "", f"Location: {elsewhere.url}")
        with Server(redirect) as server, pytest.raises(InboxUnavailableError, match="HTTP 307"):
            _delete(server)
    assert elsewhere.calls == []


@pytest.mark.parametrize("status", [200, 500, 503, 400])
@pytest.mark.parametrize(
    ("content", "error"),
    [
        (fault(code="soap:Server.8"), MessageGoneError),
        (fault(string="Authentication failed"), InboxRefusedError),
        (fault(), InboxFaultError),
    ],
    ids=["gone", "refused", "other"],
)
def test_a_fault_means_what_it_says_under_any_status(status: int, content: str, error: type[InboxError]) -> None:
    """A SOAP fault decides, not the status that it comes with."""
    with Server(always(status, content)) as server, pytest.raises(InboxError) as caught:
        _delete(server)
    assert type(caught.value) is error


def test_an_id_that_xml_cannot_carry_is_this_messages_own_fault() -> None:
    """It must not look like an inbox that is down, or it would hold up all others."""
    with Server(right) as server, pytest.raises(InboxFaultError, match="cannot be written as XML"):
        _delete(server, "\x1b", _ID)
    assert server.calls == []


# -- surroundings --


def test_the_proxy_of_the_settings_is_used() -> None:
    """Calls go through the proxy, which gets the whole address."""
    with Server(right) as proxy:
        inbox = Inbox("EX0012345", settings("http://inbox.invalid/x.asmx", proxy=f"http://127.0.0.1:{proxy.port}"))
        inbox.delete([_ID])
        inbox.close()
    assert proxy.calls[0].head.startswith("POST http://inbox.invalid/x.asmx HTTP/1.1")


def test_a_proxy_that_drips_is_bounded_too() -> None:
    """The tunnel through a proxy must stand within its time."""
    with Server(lambda _, connection: connection.drip(b"HTTP/1.1 200 O")) as proxy:
        chosen = settings("https://inbox.invalid/x.asmx", proxy=f"http://127.0.0.1:{proxy.port}")
        inbox = Inbox("EX0012345", chosen.model_copy(update={"connect_timeout": 0.4}))
        began = time.monotonic()
        with pytest.raises(InboxUnavailableError):
            inbox.delete([_ID])
        inbox.close()
    assert time.monotonic() - began < 2


def test_proxies_in_the_environment_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stray HTTP_PROXY must not take the password elsewhere."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with Server(right) as server:
        _delete(server)


def test_no_log_line_holds_the_password(caplog: pytest.LogCaptureFixture) -> None:
    """Not even at DEBUG, where zeep's own transport would write the whole request."""
    caplog.set_level(logging.DEBUG)
    with Server(right) as server:
        inbox = Inbox("EX0012345", settings(server.url, secret="open-sesame-4711"))
        inbox.delete([_ID])
        inbox.close()
    assert "open-sesame-4711" not in caplog.text


def test_zeep_and_requests_are_not_loaded_before_the_first_call() -> None:
    """A start must not pay for them."""
    script = "import sys, soap_handler.inbox; print({'zeep', 'requests', 'urllib3'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
