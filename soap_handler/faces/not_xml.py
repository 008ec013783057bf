"""Content sniffing: words for a request that is no XML, by its first bytes and its Content-Type.

The faces that read XML use them in their refusals. Nothing is decoded here, and no content is quoted.
"""

from __future__ import annotations

import re
from typing import Final

_GZIP: Final = "gzip-encoded"
_IMAGE: Final = "an image"
_FORM: Final = "a form"
_JSON: Final = "JSON"
_HTML: Final = "an HTML page"

_SIGNATURES: Final = (
    (b"\x1f\x8b", _GZIP),
    (b"\x78\x01", "deflate-encoded"),
    (b"\x78\x5e", "deflate-encoded"),
    (b"\x78\x9c", "deflate-encoded"),
    (b"\x78\xda", "deflate-encoded"),
    (b"\x28\xb5\x2f\xfd", "zstd-encoded"),
    (b"\x89PNG\r\n", _IMAGE),
    (b"\xff\xd8\xff", _IMAGE),
    (b"GIF8", _IMAGE),
    (b"RIFF", _IMAGE),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
)
_TYPES: Final = (
    ("application/x-www-form-urlencoded", _FORM),
    ("multipart/form-data", _FORM),
    ("multipart/", "a multipart message"),
    ("application/json", _JSON),
    ("image/", _IMAGE),
    ("text/html", _HTML),
)
_HTML_START: Final = re.compile(rb"<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_FORM_START: Final = re.compile(rb"[\w.%+\[\]-]{1,64}=[^\s<]*(?:&|\Z)")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_SAMPLE_BYTES: Final = 1024


def what_came(body: bytes, content_type: str = "") -> str | None:
    """Return what a request is, to complete "The request is …"; ``None`` where it is or may be meant as XML.

    The bytes count before the Content-Type, which is often a default of the caller's library.
    """
    text = body.removeprefix(_BYTE_ORDER_MARK).strip()
    if text.startswith(b"<"):
        return _HTML if _HTML_START.match(text) else None
    return _by_bytes(text) or next((words for start, words in _TYPES if content_type.lower().startswith(start)), None)


def _by_bytes(text: bytes) -> str | None:
    for signature, words in _SIGNATURES:
        if text.startswith(signature):
            return words
    if (text[:1], text[-1:]) in {(b"{", b"}"), (b"[", b"]")}:
        return _JSON
    return _FORM if _FORM_START.match(text[:_SAMPLE_BYTES]) else None
