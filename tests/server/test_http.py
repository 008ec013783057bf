"""HTTP as strange as it comes. Raw sockets against the real server."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.faces.soap.answers import assert_proper
from tests.support.wire import PATH, Connection, ask, chunked, message, request

if TYPE_CHECKING:
    from tests.support.service import Service

CHUNKED = "Transfer-Encoding: chunked"
GOOD = message()


def headed(*headers: str, start: str = f"POST {PATH} HTTP/1.1", host: bool = True) -> bytes:
    """Return the head of a request with just these headers."""
    return "\r\n".join([start, *(["Host: localhost"] if host else []), *headers, "", ""]).encode("latin-1")


SIZED = f"Content-Length: {len(GOOD)}"

TAKEN: dict[str, bytes] = {
    "as .NET sends it": request(GOOD, "VsDebuggerCausalityData: x", "Connection: Keep-Alive"),
    "chunked": headed(CHUNKED) + chunked(GOOD),
    "in chunks of one byte": headed(CHUNKED) + chunked(GOOD, 1),
    "in one chunk with an extension and a trailer": headed(CHUNKED)
    + b"%x;a=b\r\n%s\r\n0\r\nX-Trailer: y\r\n\r\n" % (len(GOOD), GOOD),
    "HTTP/1.0": request(GOOD, start=f"POST {PATH} HTTP/1.0"),
    "HTTP/1.0 without a host": headed(SIZED, start=f"POST {PATH} HTTP/1.0", host=False) + GOOD,
    "HTTP/1.1 without a host": headed(SIZED, host=False) + GOOD,
    "an absolute address": request(GOOD, start=f"POST http://localhost{PATH} HTTP/1.1"),
    "without a Content-Type": headed(SIZED) + GOOD,
    "with a wrong Content-Type": request(GOOD, "Content-Type: image/png"),
    "with SOAP 1.2's Content-Type": request(GOOD, "Content-Type: application/soap+xml; charset=utf-8"),
    "without a SOAPAction": request(GOOD),
    "with a wrong SOAPAction": request(GOOD, 'SOAPAction: "com.esendex.ems.soapinterface/DeleteMessage"'),
    "with header names in another case": headed(f"cOnTeNt-LeNgTh: {len(GOOD)}", "CONTENT-TYPE: text/xml") + GOOD,
    "with blank lines before it": b"\r\n\r\n" + request(GOOD),
    "with many headers": request(GOOD, *(f"X-{number}: {number}" for number in range(50))),
}

REFUSED: dict[str, bytes] = {
    "no body": request(),
    "no length": headed(),
    "an empty chunked body": headed(CHUNKED) + b"0\r\n\r\n",
    "a length that is no number": headed("Content-Length: many") + GOOD,
    "a negative length": headed("Content-Length: -1") + GOOD,
    "chunked with a length": headed(CHUNKED, "Content-Length: 3") + chunked(GOOD),
    "a hundred headers": request(GOOD, *(f"X-{number}: {number}" for number in range(100))),
    "two lengths": headed(SIZED, "Content-Length: 5") + GOOD,
    "a length of five thousand digits": headed("Content-Length: " + "9" * 5000),
    "a length that is too short": headed("Content-Length: 10") + GOOD,
    "a length that is too large": headed("Content-Length: 10000000000"),
    "a chunk of no size": headed(CHUNKED) + b"zz\r\n" + GOOD,
    "a chunk of another size": headed(CHUNKED) + b"5\r\n" + GOOD,
    "a bad chunk extension": headed(CHUNKED) + b"5;\x01\r\nhello\r\n0\r\n\r\n",
    "a chunk's size without end": headed(CHUNKED) + b"0" * 20_000,
    "trailers without end": headed(CHUNKED) + b"0\r\n" + b"X-Y: z\r\n" * 3000,
    "an unknown transfer coding": headed("Transfer-Encoding: gzip", SIZED) + GOOD,
    "chunked in HTTP/1.0": headed(CHUNKED, start=f"POST {PATH} HTTP/1.0") + chunked(GOOD),
    "a header without a name": headed(": x", SIZED) + GOOD,
    "a header of only a name": headed("Nonsense", SIZED) + GOOD,
    "a bare line feed in a header": headed("X: y\nZ: a", SIZED) + GOOD,
    "headers without end": headed(*(f"X-{number}: {'y' * 1000}" for number in range(400))),
    "an address that cannot be read": headed(SIZED, start="POST http://[bad/ HTTP/1.1") + GOOD,
    "a method in lower case": headed(SIZED, start=f"post {PATH} HTTP/1.1") + GOOD,
    "an unknown version": headed(start=f"POST {PATH} HTTP/9"),
    "something else than HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "an expectation and no body": headed("Expect: 100-continue", "Content-Length: 0"),
    "an expectation and no length": headed("Expect: 100-continue"),
    "an expectation and a bad length": headed("Expect: 100-continue", "Content-Length: x"),
    "an expectation and far too much": headed("Expect: 100-continue", "Content-Length: 10000000000"),
}


@pytest.mark.parametrize("case", TAKEN)
def test_http_in_every_honest_form_is_taken(shared: Service, case: str) -> None:
    """Chunked or sized, old or new, with or without the usual headers: the body counts."""
    answer = ask(shared.port, TAKEN[case])
    assert_proper(answer)
    assert answer.confirms == "MessageReceived"


@pytest.mark.parametrize("case", REFUSED)
def test_broken_http_is_answered_by_a_fault(shared: Service, case: str) -> None:
    """Even what never becomes a request gets an answer that a SOAP caller can read, and at once."""
    began = time.monotonic()
    answer = ask(shared.port, REFUSED[case])
    assert time.monotonic() - began < 2
    assert_proper(answer)
    assert answer.fault is not None
    assert answer.fault[0] == "Client"


@pytest.mark.parametrize("size", [262_145, 300_000, 5_000_000])
@pytest.mark.parametrize("coding", ["sized", "chunked"])
def test_the_sender_of_a_large_body_can_read_why_it_is_refused(shared: Service, coding: str, size: int) -> None:
    """The body is read to its end, so that the answer is not lost in a connection that is reset meanwhile."""
    body = b"x" * size
    sent = request(body) if coding == "sized" else headed(CHUNKED) + chunked(body, 50_000)
    with Connection(shared.port) as connection:
        answer = connection.ask(sent)
        assert_proper(answer)
        assert answer.fault == ("Client", "The request is larger than 262144 bytes")
    with Connection(shared.port) as connection:
        assert connection.ask(request(GOOD)).confirms


def test_the_largest_body_is_taken(shared: Service) -> None:
    """``max_body`` is a limit, not the first size beyond it."""
    body = GOOD + b" " * (262_144 - len(GOOD))
    assert ask(shared.port, request(body)).confirms
    assert ask(shared.port, headed(CHUNKED) + chunked(body, 9000)).confirms


def test_a_caller_that_waits_for_100_continue_gets_it_promptly(shared: Service) -> None:
    """.NET sends the head, waits 350 ms for the signal, and only then sends the body."""
    with Connection(shared.port) as connection:
        for _ in range(3):
            began = time.monotonic()
            assert connection.ask(headed("Expect: 100-continue", SIZED)).status == 100
            assert time.monotonic() - began < 0.3
            assert connection.ask(GOOD).confirms


def test_a_caller_need_not_wait_for_100_continue(shared: Service) -> None:
    """Head and body may come together all the same."""
    with Connection(shared.port) as connection:
        answer = connection.ask(headed("Expect: 100-continue", SIZED) + GOOD)
        assert (answer if answer.status != 100 else connection.answer()).confirms


def test_a_connection_is_kept_and_closed_as_the_caller_wishes(shared: Service) -> None:
    """Kept by default in HTTP/1.1, on request in HTTP/1.0, and closed on request."""
    with Connection(shared.port) as connection:
        for _ in range(3):
            assert connection.ask(request(GOOD)).confirms
        assert connection.ask(request(GOOD, "Connection: close")).headers["connection"] == "close"
        assert connection.at_end
    with Connection(shared.port) as connection:
        for _ in range(2):
            answer = connection.ask(request(GOOD, "Connection: Keep-Alive", start=f"POST {PATH} HTTP/1.0"))
            assert answer.headers["connection"].lower() == "keep-alive"
    with Connection(shared.port) as connection:
        assert connection.ask(request(GOOD, start=f"POST {PATH} HTTP/1.0")).confirms
        assert connection.at_end


def test_pipelined_requests_are_answered_in_order(shared: Service) -> None:
    """Several requests in one go get as many answers, in their order."""
    names = ["MessageReceived", "MessageEvent", "MessageError", "SubscriptionEvent"] * 3
    with Connection(shared.port) as connection:
        connection.send(b"".join(request(message(name)) for name in names))
        assert [connection.answer().confirms for _ in names] == names


def test_a_request_in_drops_is_put_together(shared: Service) -> None:
    """A slow sender's bytes come one by one."""
    with Connection(shared.port) as connection:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in headed(CHUNKED) + chunked(GOOD, 7):
            connection.send(bytes([byte]))
        assert connection.answer().confirms


def test_a_caller_that_hangs_up_does_no_harm(shared: Service) -> None:
    """Half a request, or a request whose answer is not read, leaves the service as it was."""
    for data in (b"PO", headed(SIZED), headed(SIZED) + GOOD[:50], request(GOOD)):
        with Connection(shared.port) as connection:
            connection.send(data)
    assert ask(shared.port, request(GOOD)).confirms


def test_a_caller_that_has_said_all_is_answered(shared: Service) -> None:
    """Some callers close their sending side after the request."""
    with Connection(shared.port) as connection:
        connection.send(request(GOOD))
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.answer().confirms
