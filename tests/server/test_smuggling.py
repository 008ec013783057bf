"""Requests that two servers may read in two ways: refused by a fault, and the connection is closed after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.server.channel import fault_in
from tests.support.wire import PATH, Connection, chunked, envelope, message

if TYPE_CHECKING:
    from tests.support.service import Service

GOOD: Final = envelope()
SECOND: Final = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (PATH.encode(), len(GOOD), GOOD)


def head(*lines: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    first = b"POST %s %s" % (PATH.encode(), version)
    return b"\r\n".join([first, b"Host: localhost", *lines, b"", b""])


LENGTH: Final = b"Content-Length: %d" % len(GOOD)
CHUNKED: Final = b"Transfer-Encoding: chunked"

SHAPES: Final[dict[str, bytes]] = {
    "length and chunks": head(LENGTH, CHUNKED) + chunked(GOOD),
    "chunks and length": head(CHUNKED, b"Content-Length: 0") + chunked(GOOD),
    "length, and chunks in other letters": head(LENGTH, b"tRANSFER-eNCODING: CHUNKED") + chunked(GOOD),
    "two different lengths": head(LENGTH, b"Content-Length: 0") + GOOD,
    "two equal lengths": head(LENGTH, LENGTH) + GOOD,
    "two lengths in one line": head(b"Content-Length: %d, %d" % (len(GOOD), len(GOOD))) + GOOD,
    "a length with a sign": head(b"Content-Length: +%d" % len(GOOD)) + GOOD,
    "a hexadecimal length": head(b"Content-Length: 0x%x" % len(GOOD)) + GOOD,
    "a length with a dot": head(b"Content-Length: %d.0" % len(GOOD)) + GOOD,
    "chunks twice": head(CHUNKED, CHUNKED) + chunked(GOOD),
    "chunks twice in one line": head(b"Transfer-Encoding: chunked, chunked") + chunked(GOOD),
    "chunks and identity": head(b"Transfer-Encoding: identity, chunked") + chunked(GOOD),
    "chunks misspelt": head(b"Transfer-Encoding: xchunked") + chunked(GOOD),
    "chunks with a vertical tab": head(b"Transfer-Encoding: \x0bchunked") + chunked(GOOD),
    "chunks in quotes": head(b'Transfer-Encoding: "chunked"') + chunked(GOOD),
    "chunks in HTTP/1.0": head(CHUNKED, version=b"HTTP/1.0") + chunked(GOOD),
    "a folded encoding": head(b"Transfer-Encoding:\r\n chunked") + chunked(GOOD),
    "a folded header": head(b"X-A: b\r\n\tc", LENGTH) + GOOD,
    "a space before the colon": head(b"Content-Length : %d" % len(GOOD)) + GOOD,
    "a space before the colon of the encoding": head(b"Transfer-Encoding : chunked") + chunked(GOOD),
    "a space before the name": head(b" " + LENGTH) + GOOD,
    "a bare line feed": head(LENGTH + b"\nX-A: b") + GOOD,
    "a bare carriage return": head(LENGTH + b"\rX-A: b") + GOOD,
    "a NUL in a header": head(b"X-A: b\x00c", LENGTH) + GOOD,
    "a NUL in a name": head(b"Content-Length\x00: 5", LENGTH) + GOOD,
    "no colon": head(b"X-A", LENGTH) + GOOD,
    "two hosts": head(b"Host: elsewhere", LENGTH) + GOOD,
    "a chunk size with a sign": head(CHUNKED) + b"+5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with 0x": head(CHUNKED) + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with a space": head(CHUNKED) + b"5 \r\nhello\r\n0\r\n\r\n",
    "a chunk that ends in a bare line feed": head(CHUNKED) + b"5\nhello\r\n0\r\n\r\n",
    "a chunk longer than it says": head(CHUNKED) + b"3\r\nhello\r\n0\r\n\r\n",
    "a bare line feed in a chunk extension": head(CHUNKED) + b"5;a\nb\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_refused_and_what_follows_is_not_read(shared: Service, shape: str) -> None:
    """One answer, a fault, and the end: what is smuggled behind it is never taken for a request."""
    known = len(shared.handled)
    with Connection(shared.port) as connection:
        answer = connection.ask(SHAPES[shape] + SECOND)
        assert (answer.status, answer.headers["content-type"]) == (500, "text/xml; charset=utf-8")
        assert answer.fault is not None
        assert answer.fault[0] == "Client"
        assert connection.at_end
    assert len(shared.handled) == known


@pytest.mark.parametrize("name", ["Content_Length", "Transfer_Encoding", "X_Forwarded_For"])
def test_a_name_with_an_underscore_is_not_the_one_with_a_dash(shared: Service, name: str) -> None:
    """CGI's names would confuse them, so such a header is as good as not sent."""
    body = message(id="55555555-0000-4000-8000-000000000001")
    with Connection(shared.port) as connection:
        answer = connection.ask(head(name.encode() + b": 3", b"Content-Length: %d" % len(body)) + body)
    assert answer.confirms


def test_requests_that_follow_each_other_are_answered_in_order(shared: Service) -> None:
    """Honest pipelining still works."""
    with Connection(shared.port) as connection:
        connection.send(SECOND * 5)
        assert [connection.answer().status for _ in range(5)] == [200] * 5


@given(st.lists(st.binary(max_size=40), max_size=8).map(b"\r\n".join))
def test_no_block_of_headers_breaks_the_check(block: bytes) -> None:
    """Whatever it is, the answer is a sentence or none."""
    assert isinstance(fault_in(block, 3), str | None)


def test_the_number_of_headers_is_limited() -> None:
    """As many as the setting says, and none more."""
    assert fault_in(head(b"A: b", b"C: d"), 3) is None
    assert fault_in(head(b"A: b", b"C: d"), 2) == "Too many headers"
