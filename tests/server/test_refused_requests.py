"""Refused requests: each leaves a line in the log with its reason, and the connection is closed behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.contract import NAMESPACE
from soap_handler.web.refusals import Refusals
from tests.support.events import captured_events
from tests.support.wire import PATH, Connection, envelope, header, message, request

if TYPE_CHECKING:
    from tests.support.service import Service

SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
BLOCK = f'<w:Security xmlns:w="{SECURITY}" soap:mustUnderstand="1"><w:Secret>content</w:Secret></w:Security>'
GZIP = "Content-Encoding: gzip"
FORM = "Content-Type: application/x-www-form-urlencoded"

SIZES = {"no HTTP": None, "two lengths": None, "far too large": 1_000_000_000}
"""The size that is logged where it is not that of the body: unknown, or as the head says."""

REFUSED: dict[str, tuple[bytes, str]] = {
    "no body": (request(), "The request is empty"),
    "no XML": (request(b"content"), "The request is not well-formed XML"),
    "JSON": (request(b'{"content": 1}'), "The request is JSON"),
    "a DTD": (request(b'<!DOCTYPE content SYSTEM "content"><content/>'), "document type declaration"),
    "cut short": (request(message()[:-30]), "The request is not well-formed XML"),
    "no envelope": (request(b"<content/>"), "The request is not a SOAP envelope"),
    "another envelope": (request(b'<e:Envelope xmlns:e="content"/>'), "Only SOAP 1.1 and SOAP 1.2"),
    "no operation": (request(envelope("")), "The Body of the envelope is empty"),
    "another operation": (request(envelope("<content/>")), "The operation is not one of"),
    "a fault": (request(envelope("<soap:Fault/>")), "holds a Fault"),
    "too deep": (request(envelope("<a>" * 40 + "</a>" * 40)), "nested too deeply"),
    "a block": (request(envelope(head=header() + BLOCK)), "not known here: Security"),
    "too large": (request(b"<content>" + b" " * 300_000), "larger than 262144 bytes"),
    "far too large": (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\ncontent".encode(),
        "Request Entity Too Large; the body is far larger than server.max_body)",
    ),
    "no gzip": (request(b"\x1f\x8bcontent\0", GZIP), "The request is not in its Content-Encoding"),
    "an unknown encoding": (request(b"\0content", "Content-Encoding: content"), "Content-Encoding that is not known"),
    "a form of nothing": (request(b"content=1", FORM), "The form has no"),
    "an element of nothing": (request(b"<content/>", start="POST /push HTTP/1.1"), "none of XML push"),
    "another path": (request(message(), start="POST /content HTTP/1.1"), "No version of the API is at this address"),
    "another method": (request(message(), start=f"PUT {PATH} HTTP/1.1"), "The method is not one of"),
    "no HTTP": (b"\x16\x03\x01content\r\n\r\n", "The HTTP request was refused (Bad Request"),
    "two lengths": (request(message(), "Content-Length: 5"), "A header is repeated that must not be"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_each_refusal_is_logged_with_its_reason_and_closes_the_connection(service: Service, name: str) -> None:
    """An operator sees why EMS is refused; of what the request holds nothing is logged but a header block's name."""
    sent, reason = REFUSED[name]
    with captured_events() as logged, Connection(service.port) as connection:
        answer = connection.ask(sent)
        assert answer.status != 200
        assert connection.at_end
        assert answer.headers["connection"].lower() == "close"
    (line,) = [event for event in logged if event["event"] == "request_refused"]
    assert reason in line["reason"]
    assert (line["caller"], line["times"], line["log_level"]) == ("127.0.0.1", 1, "warning")
    body = sent.partition(b"\r\n\r\n")[2]
    assert line["size"] == SIZES.get(name, len(body))
    assert "content" not in str(line)


def test_the_fault_names_the_header_that_must_be_understood(service: Service) -> None:
    """The developer at the other end learns which of his handlers to take out."""
    answer = service.post(envelope(head=header() + BLOCK))
    assert answer.fault is not None
    assert answer.fault[0] == "MustUnderstand"
    assert answer.fault[1] == "A header block that must be understood is not known here: Security"


def test_a_long_header_name_does_not_make_a_long_fault(service: Service) -> None:
    """The name is the caller's text."""
    block = f'<x:{"y" * 5000} xmlns:x="urn:x" soap:mustUnderstand="1"/>'
    answer = service.post(envelope(head=block))
    assert answer.fault is not None
    assert len(answer.fault[1]) < 120


def test_what_follows_a_body_that_was_cut_short_is_no_request(service: Service) -> None:
    """A Content-Length that is too short leaves the rest of the body on the connection: it must not be read as one."""
    inner = request(message(id="11111111-0000-4000-8000-00000000000a"))
    with Connection(service.port) as connection:
        body = b"<soap:Envelope>"
        answer = connection.ask(request(body) + inner)
        assert answer.status == 500
        assert connection.at_end
    assert service.submitted == []


def test_a_refused_login_keeps_the_connection(service: Service) -> None:
    """Its request was read to its end, and has an event of its own."""
    with captured_events() as logged, Connection(service.port) as connection:
        assert connection.ask(request(envelope(head=header(password="wrong")))).status == 500
        assert connection.ask(request(message())).confirms
    assert [event["event"] for event in logged].count("authentication_failed") == 1
    assert "request_refused" not in [event["event"] for event in logged]


@pytest.mark.parametrize("value", ["TE, close", "close, TE", "TE ,\tClose", "keep-alive, close"])
def test_connection_is_a_list(service: Service, value: str) -> None:
    """A caller that says close among others waits for the end of the connection (RFC 9110, section 7.6.1)."""
    for _ in range(2):  # a head that is known is answered in the same way
        with Connection(service.port) as connection:
            assert connection.ask(request(message(), f"Connection: {value}", "TE: trailers")).confirms
            assert connection.at_end


def test_two_connection_headers_are_one_list(service: Service) -> None:
    """As a proxy may write them."""
    with Connection(service.port) as connection:
        assert connection.ask(request(message(), "Connection: TE", "Connection: close")).confirms
        assert connection.at_end


def test_an_older_caller_may_ask_for_keep_alive_in_a_list(service: Service) -> None:
    """HTTP/1.0 with ``Connection: TE, Keep-Alive``."""
    sent = request(message(), "Connection: TE, Keep-Alive", start=f"POST {PATH} HTTP/1.0")
    with Connection(service.port) as connection:
        assert connection.ask(sent).confirms
        assert connection.ask(sent).confirms


def test_a_flood_of_refusals_is_few_lines() -> None:
    """One line a minute for each reason, whatever the names in it are; the next one says how many there were."""
    now = [0.0]
    refusals = Refusals(lambda: now[0])
    with captured_events() as logged:
        for number in range(1000):
            refusals.note(f"A header block is not known here: {{{NAMESPACE}}}x{number}", "192.0.2.1", 1)
        now[0] = 61.0
        refusals.note("A header block is not known here: y", "192.0.2.1", 1)
    lines: list[dict[str, Any]] = [event for event in logged if event["event"] == "request_refused"]
    assert [line["times"] for line in lines] == [1, 1000]
