"""Compressed requests and multipart requests: unpacked for every face within the limit of size, or refused in words."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.errors import PackagingError
from soap_handler.faces.base import Request
from soap_handler.faces.unpack import unpack
from soap_handler.notifications import MessageReceived
from tests.corpus.packaging import PICTURE, RELATED, ROOT, parts, raw_deflate
from tests.faces.soap.answers import assert_proper
from tests.support.wire import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.service import Service

LIMIT: Final = 262_144
ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "raw deflate": raw_deflate,
}


def packed(body: bytes, content_encoding: str = "", content_type: str = "text/xml") -> Request:
    return Request(body, "127.0.0.1", content_type, content_encoding=content_encoding)


def refusal(request: Request, max_body: int = LIMIT) -> str:
    with pytest.raises(PackagingError) as caught:
        unpack(request, max_body)
    return str(caught.value)


@pytest.mark.parametrize("encoder", ENCODERS)
@given(body=st.binary(max_size=2000), repeat=st.integers(1, 50))
def test_any_body_comes_back(encoder: str, body: bytes, repeat: int) -> None:
    """What was compressed is unpacked, whatever it is, up to the very limit."""
    body *= repeat
    request = packed(ENCODERS[encoder](body), encoder.rpartition(" ")[2])
    assert unpack(request, len(body)) == packed(body)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_one_byte_more_than_the_limit_is_too_much(encoder: str) -> None:
    """The limit is that of a plain body."""
    request = packed(ENCODERS[encoder](b"x" * 1001), encoder.rpartition(" ")[2])
    assert len(unpack(request, 1001).body) == 1001
    assert refusal(request, 1000) == "The request is larger than 1000 bytes when it is unpacked"


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_bomb_takes_little_memory_and_little_time(encoder: str) -> None:
    """200 MB in 200 KB: no more is unpacked than a request may have."""
    bomb = ENCODERS[encoder](bytes(200_000_000))
    assert len(bomb) < LIMIT
    request = packed(bomb, encoder.rpartition(" ")[2])
    tracemalloc.start()
    began = time.thread_time()
    try:
        assert "larger than" in refusal(request)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.thread_time() - began < 0.5
    assert peak < 4 * LIMIT


def test_members_and_layers_do_not_multiply() -> None:
    """Many gzip files in a row share one limit, and neither they nor encodings of encodings go on for ever."""
    assert "larger than" in refusal(packed(gzip.compress(bytes(200_000)) * 3, "gzip"))
    assert refusal(packed(gzip.compress(b"") * 1000, "gzip")) == "The request is gzip-encoded in too many pieces"
    assert refusal(packed(b"\1", "gzip, gzip, gzip")) == "The request has too many Content-Encodings"
    assert "larger than" in refusal(packed(gzip.compress(gzip.compress(bytes(10_000_000))), "gzip, gzip"))


@pytest.mark.parametrize(
    ("body", "encoding", "words"),
    [
        (gzip.compress(message())[:-20], "gzip", "its end is missing"),
        (gzip.compress(message())[:-8] + bytes(8), "gzip", "not in its Content-Encoding (gzip), or is damaged"),
        (zlib.compress(message())[:-4] + bytes(4), "deflate", "not in its Content-Encoding (deflate), or is damaged"),
        (gzip.compress(message()), "deflate", "not in its Content-Encoding (deflate), or is damaged"),
        (zlib.compress(message()), "gzip", "not in its Content-Encoding (gzip), or is damaged"),
        (b"\x0b\x02\x80\x03", "br", "a Content-Encoding that is not known here; gzip and deflate are"),
    ],
)
def test_what_cannot_be_unpacked_is_refused_in_words(shared: Service, body: bytes, encoding: str, words: str) -> None:
    """By a fault that says what is wrong with the packaging."""
    answer = shared.post(body, f"Content-Encoding: {encoding}")
    assert_proper(answer)
    assert answer.fault is not None
    assert answer.fault[0] == "Client"
    assert words in answer.fault[1]


def test_a_bomb_is_refused_by_the_service(shared: Service) -> None:
    """On both ways, and the connection's next request is served."""
    answer = shared.post(gzip.compress(bytes(100_000_000)), "Content-Encoding: gzip")
    assert answer.fault == ("Client", f"The request is larger than {LIMIT} bytes when it is unpacked")
    assert shared.post(gzip.compress(message()), "Content-Encoding: gzip").confirms


def test_a_packed_push_is_the_same_push(shared: Service) -> None:
    """Compressed, in parts, and both; on both ways."""
    plain_id = "2d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c50"
    plain = shared.take(message(id=plain_id))
    related = parts((ROOT, message(id="2d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c51")), (PICTURE, b"\0"))
    whole = shared.take(gzip.compress(related), f"Content-Type: {RELATED}", "Content-Encoding: gzip")
    assert isinstance(whole, MessageReceived)
    assert replace(whole, id=plain_id) == plain


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (parts((ROOT, b"")), "multipart/related", "multipart without a usable boundary"),
        (parts((ROOT, b"")), f"multipart/related; boundary={'x' * 71}", "multipart without a usable boundary"),
        (b"\0nothing", RELATED, "multipart, and has no part"),
        (b"", RELATED, "multipart, and has no part"),
        (parts(), RELATED, "multipart, and has no part"),
        (
            parts((b"Content-Transfer-Encoding: base64", b"a")),
            RELATED,
            "root part of the request is not in its base64 encoding",
        ),
    ],
)
def test_parts_that_cannot_be_told_are_refused_in_words(body: bytes, content_type: str, words: str) -> None:
    """No boundary, no part, a root that is not in its own encoding."""
    assert words in refusal(packed(body, content_type=content_type))


def test_the_root_part_brings_its_content_type() -> None:
    """Its charset is the charset of the document. Without one, the parameter ``type`` says what it is."""
    body = parts((ROOT, b"1"), (b"Content-ID: <b>", b"2"))
    assert unpack(packed(body, content_type=RELATED), LIMIT) == packed(b"1", content_type="text/xml; charset=utf-8")
    second = unpack(packed(body, content_type=f"{RELATED}; start=b"), LIMIT)
    assert second == packed(b"2", content_type="text/xml")


@given(st.lists(st.sampled_from([b"--=_b (1)", b"--=_b (1)--", b"\r\n", b"\n", b":", b"a", b" ", b"<a", b"\0"])))
def test_any_multipart_body_is_unpacked_or_refused(pieces: list[bytes]) -> None:
    """Nothing else is raised, and nothing is made up."""
    body = b"".join(pieces)
    try:
        root = unpack(packed(body, content_type=RELATED), LIMIT).body
    except PackagingError:
        return
    assert root in body


@pytest.mark.parametrize("piece", [b"\r\n--=_b (1)", b"\n", b"\r\n--=_b (1)\r\n", b"--", b"\r\n\t", b"a:b\r\n"])
def test_a_large_multipart_body_takes_little_time(piece: bytes) -> None:
    """No step is quadratic, and no more than 64 parts are looked at."""
    body = parts((ROOT, b"")) + piece * (LIMIT // len(piece)) + parts((ROOT, b""))
    began = time.thread_time()
    unpack(packed(body, content_type=f"{RELATED}; start=nowhere"), LIMIT)
    assert time.thread_time() - began < 0.5


def test_a_plain_request_is_left_as_it_is() -> None:
    """The very same object: what is not packed costs nothing."""
    request = packed(message(), content_type="text/xml; charset=utf-8")
    assert unpack(request, LIMIT) is request
