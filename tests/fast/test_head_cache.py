"""The head cache: what is remembered of a request's head, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from waitress.adjustments import Adjustments

from soap_handler.fast.head_cache import HeadCachingParser
from tests.support.http_parser import LARGEST, body_of, read, seen, sent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.server.channel import Parser


@pytest.fixture(autouse=True)
def _no_head_is_known() -> Iterator[None]:
    """Forget what other tests have sent."""
    HeadCachingParser.heads.clear()
    yield
    HeadCachingParser.heads.clear()


def parsed(*pieces: bytes) -> Parser:
    return read(HeadCachingParser, *pieces)[0]


def test_a_known_head_is_not_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is recalled, for another body of the same length too."""
    parsed(sent(b"one"))
    monkeypatch.setattr(HeadCachingParser, "parse_header", None)

    assert body_of(parsed(sent(b"two"))) == b"two"


def test_a_caller_that_waits_for_100_continue_is_answered_first() -> None:
    """The head is read first then; a known head does not keep it from that."""
    whole = sent(b"one", "Expect: 100-continue")
    first, again = parsed(whole), parsed(whole)

    assert seen(first) == seen(again)
    assert again.expect_continue


def test_headers_of_one_request_are_not_another_ones() -> None:
    """A task that changes the headers of its request changes no other with the same head."""
    parsed(sent(b"one"))
    parsed(sent(b"two")).headers["CONNECTION"] = "close"

    assert "CONNECTION" not in parsed(sent(b"six")).headers


def test_a_known_head_is_held_to_the_limit_of_the_server_that_reads_it() -> None:
    """Two servers in one process may have different limits; what one has read is no excuse for the other."""
    whole = sent(b"one")
    parsed(whole)
    strict = Adjustments(inbuf_overflow=LARGEST + 2, max_request_header_size=32)
    strict.max_headers = 20
    parser = HeadCachingParser(strict)
    parser.received(whole)

    assert parser.error is not None
