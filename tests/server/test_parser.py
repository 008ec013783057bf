"""One HTTP request, in one piece or in several: the plain parser, and the one that remembers heads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.fast.head_cache import HeadCachingParser
from soap_handler.server.channel import Parser
from tests.support.http_parser import LARGEST, body_of, read, seen, sent

HEADERS = st.lists(
    st.sampled_from(("SOAPAction: x", "Connection: close", "Content-Type: text/xml", "X-A: 1")),
    unique=True,
)
both = pytest.mark.parametrize("parser_class", [Parser, HeadCachingParser])


@both
@given(st.binary(max_size=LARGEST), HEADERS, st.data())
def test_a_request_is_the_same_in_one_piece_and_in_two(
    parser_class: type[Parser], body: bytes, headers: list[str], data: st.DataObject
) -> None:
    """Whether its head was known and where it was cut changes nothing."""
    whole = sent(body, *headers)
    cut = data.draw(st.integers(1, len(whole)))
    plain = read(Parser, whole)[0]
    first, again = read(parser_class, whole)[0], read(parser_class, whole)[0]
    cut_up = read(parser_class, whole[:cut], whole[cut:])[0]

    assert seen(plain) == seen(first) == seen(again) == seen(cut_up)
    assert again.completed
    assert body_of(again) == body
    assert again.error is None


@both
def test_what_follows_a_request_is_left_for_the_next(parser_class: type[Parser]) -> None:
    """With pipelining, the bytes of the second request are none of the first."""
    first = sent(b"one")
    read(parser_class, first)
    parser, consumed = read(parser_class, first + sent(b"two"))

    assert body_of(parser) == b"one"
    assert consumed == len(b"one")  # of the last piece, which began behind the head


@both
@pytest.mark.parametrize("times", [1, 2, 3])
def test_of_a_body_that_is_too_large_the_beginning_is_kept(parser_class: type[Parser], times: int) -> None:
    """One byte more than the largest, so that it is seen to be too large; a known head makes no difference."""
    parsers = [read(parser_class, sent(bytes(2 * LARGEST)))[0] for _ in range(times)]

    assert parsers[-1].completed
    assert len(body_of(parsers[-1])) == LARGEST + 1


@both
def test_a_request_without_a_body_reads_as_empty(parser_class: type[Parser]) -> None:
    """There is no length, and nothing is waited for."""
    parser = read(parser_class, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")[0]

    assert parser.completed
    assert body_of(parser) == b""
