"""Refusals of what is no XML say what came."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest

from tests.faces.soap.answers import assert_proper
from tests.support.wire import message

if TYPE_CHECKING:
    from tests.support.service import Service

XML = "text/xml; charset=utf-8"
FORM = b"username=ems&password=x&notificationType=MessageReceived"


@pytest.mark.parametrize(
    ("body", "content_type", "came"),
    [
        (gzip.compress(message()), XML, "gzip-encoded"),
        (zlib.compress(message()), XML, "deflate-encoded"),
        (FORM, XML, "a form"),
        (b"a%5Bb%5D=1&c=d+e", XML, "a form"),
        (b"id=1", XML, "a form"),
        (
            b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--",
            "multipart/form-data; boundary=x",
            "a form",
        ),
        (b"--x\r\n\r\nb\r\n--x--", "multipart/mixed; boundary=x", "a multipart message"),
        (b'{"id": 1}', XML, "JSON"),
        (b"\xef\xbb\xbf\n [1, 2]\n", XML, "JSON"),
        (b"true", "application/json", "JSON"),
        (b"\x89PNG\r\n\x1a\n\0\0", XML, "an image"),
        (b"\xff\xd8\xff\xe0\0", XML, "an image"),
        (b"\0\0\0", "image/heic", "an image"),
        (b"<!DOCTYPE html><html><p>no</html>", XML, "an HTML page"),
        (b"<html><br></html>", XML, "an HTML page"),
        (b"%PDF-1.7 \0", XML, "a PDF document"),
        (b"PK\x03\x04\0\0", XML, "a zip archive"),
    ],
)
def test_what_is_no_xml_is_named(shared: Service, body: bytes, content_type: str, came: str) -> None:
    """In a few words, by its bytes or else by its Content-Type."""
    answer = shared.post(body, f"Content-Type: {content_type}")
    assert_proper(answer)
    assert answer.fault == ("Client", f"The request is {came}; expected a SOAP envelope")


@pytest.mark.parametrize("content_type", [XML, "application/x-www-form-urlencoded", "application/json"])
@pytest.mark.parametrize("body", [message()[:-20], b"<soap:Envelope", b"\n<a>&"])
def test_broken_xml_stays_broken_xml(shared: Service, body: bytes, content_type: str) -> None:
    """The bytes count before a Content-Type, which may be a default of the caller's library."""
    answer = shared.post(body, f"Content-Type: {content_type}")
    assert answer.fault == ("Client", "The request is not well-formed XML")


@pytest.mark.parametrize("body", [b"hello", b"\0\0", b"a b=c"])
def test_other_bytes_are_simply_no_xml(shared: Service, body: bytes) -> None:
    """Nothing is guessed."""
    assert shared.post(body).fault == ("Client", "The request is not well-formed XML")
