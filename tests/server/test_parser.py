"""One HTTP request, however it comes: in one piece under a known head, or in two under whatever head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitress.adjustments import Adjustments

from soap_handler.server.parser import Parser

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 64
ADJUSTMENTS = Adjustments(inbuf_overflow=LARGEST + 2, max_request_header_size=1024)
ADJUSTMENTS.max_headers = 20

HEADERS = st.lists(
    st.sampled_from(("SOAPAction: x", "Connection: close", "Content-Type: text/xml", "X-A: 1")),
    unique=True,
)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Have no head known that another test has sent."""
    Parser._heads.clear()
    yield
    Parser._heads.clear()


def sent(body: bytes, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} /x?y=1 HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def read(*pieces: bytes) -> tuple[Parser, int]:
    """Return the request and how many bytes of the last piece belong to it."""
    parser, consumed = Parser(ADJUSTMENTS), 0
    for piece in pieces:
        rest = piece
        while rest and not parser.completed:
            consumed = parser.received(rest)
            rest = rest[consumed:]
    return parser, consumed


def seen(parser: Parser) -> dict[str, Any]:
    """Return what anybody asks of a request."""
    names = ("completed", "error", "headers", "command", "path", "query", "version", "content_length", "empty")
    return {name: getattr(parser, name) for name in names} | {
        "body": parser.body,
        "stream": parser.get_body_stream().read(),
    }


@given(st.binary(max_size=LARGEST), HEADERS, st.data())
def test_a_request_is_the_same_in_one_piece_and_in_two(body: bytes, headers: list[str], data: st.DataObject) -> None:
    """Whether its head was known and where it was cut changes nothing."""
    whole = sent(body, *headers)
    cut = data.draw(st.integers(1, len(whole)))
    first, again, cut_up = read(whole)[0], read(whole)[0], read(whole[:cut], whole[cut:])[0]

    assert seen(first) == seen(again) == seen(cut_up)
    assert again.completed
    assert (again.body or b"") == body
    assert again.error is None


def test_a_known_head_is_not_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick way is taken, for another body of the same length too."""
    read(sent(b"one"))
    monkeypatch.setattr(Parser, "parse_header", None)

    assert read(sent(b"two"))[0].body == b"two"


def test_who_waits_for_100_continue_goes_the_long_way() -> None:
    """The head is read first then, to be answered; a known head does not keep it from that."""
    whole = sent(b"one", "Expect: 100-continue")
    first, again = read(whole)[0], read(whole)[0]

    assert seen(first) == seen(again)
    assert again.expect_continue


def test_what_follows_a_request_is_left_for_the_next() -> None:
    """With pipelining, the bytes of the second request are none of the first."""
    first = sent(b"one")
    read(first)
    parser, consumed = read(first + sent(b"two"))

    assert parser.body == b"one"
    assert consumed == len(b"one")  # of the last piece, which began behind the head


def test_headers_of_one_request_are_not_another_ones() -> None:
    """A task that changes the headers of its request changes no other with the same head."""
    read(sent(b"one"))
    read(sent(b"two"))[0].headers["CONNECTION"] = "close"

    assert "CONNECTION" not in read(sent(b"six"))[0].headers


@pytest.mark.parametrize("times", [1, 2, 3])
def test_of_a_body_that_is_too_large_the_beginning_is_kept(times: int) -> None:
    """One byte more than the largest, so that it is seen to be too large; a known head makes no difference."""
    parsers = [read(sent(bytes(2 * LARGEST)))[0] for _ in range(times)]

    assert parsers[-1].completed
    assert len(parsers[-1].body or b"") == LARGEST + 1


def test_a_known_head_is_held_to_the_limit_of_the_server_that_reads_it() -> None:
    """Two servers in one process may have different limits; what one has read is no excuse for the other."""
    whole = sent(b"one")
    read(whole)
    strict = Adjustments(inbuf_overflow=LARGEST + 2, max_request_header_size=32)
    strict.max_headers = 20
    parser = Parser(strict)
    parser.received(whole)

    assert parser.error is not None


def test_a_request_without_a_body_has_none() -> None:
    """Nothing is not an empty body, but reads like one."""
    parser = read(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")[0]

    assert parser.body is None
    assert parser.get_body_stream().read() == b""
