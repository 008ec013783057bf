"""Decompression and multipart unwrapping: the body of a request as its face reads it, for every face.

A request may come compressed (``Content-Encoding``) or as the root part of ``multipart/related`` (MTOM, SOAP with
Attachments). The unpacked body is held to the same size as one that came plain; no more than that is ever unpacked.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Final

from soap_handler.errors import PackagingError
from soap_handler.faces.multipart import is_related, root_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.faces.base import Request

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS  # zlib's ways to say which header the data has
_ZLIB_WINDOW: Final = zlib.MAX_WBITS
_RAW_WINDOW: Final = -zlib.MAX_WBITS
_GZIP_MAGIC: Final = b"\x1f\x8b"
_MAX_MEMBERS: Final = 16  # gzip files in one body, one behind the other; one is usual
_MAX_ENCODINGS: Final = 2  # in a row; one is usual
_NO_ENCODING: Final = frozenset({"", "identity"})
_XML_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,64}<[?!A-Za-z_][\w:.-]{3}")
_CONTROLS: Final = bytes(code for code in range(0x20) if code not in b"\t\n\r")
_BYTE_ORDER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


def unpack(request: Request, max_body: int) -> Request:
    """Return a request with a plain body; the very same one where that is not packed.

    Raises:
        PackagingError: it cannot be unpacked, or is larger than ``max_body`` bytes then.
    """
    if request.content_encoding:
        request = request._replace(body=_decoded(request, max_body), content_encoding="")
    multipart = request.content_type[:10].lower() == "multipart/"
    if multipart and is_related(request.content_type) and not _XML_START.match(request.body):
        body, content_type = root_part(request.body, request.content_type)
        request = request._replace(body=body, content_type=content_type)
    return request


def _decoded(request: Request, max_body: int) -> bytes:
    names = [name.strip().lower() for name in request.content_encoding.split(",")]
    names = [name for name in names if name not in _NO_ENCODING]
    if len(names) > _MAX_ENCODINGS:
        raise PackagingError("The request has too many Content-Encodings")
    body = request.body
    for name in reversed(names):  # the last one was applied last
        body = _decode(body, name, max_body)
    return body


def _decode(body: bytes, name: str, max_body: int) -> bytes:
    """Undo one encoding. A body that is plain under its label stays as it is: a proxy may have unpacked it already."""
    if not body or _XML_START.match(body):
        return body
    try:
        if name in _DECODERS:
            return _DECODERS[name](body, max_body)
    except zlib.error as error:
        if not _is_text(body):
            raise PackagingError(f"The request is not in its Content-Encoding ({name}), or is damaged") from error
    if not _is_text(body):
        raise PackagingError("The request has a Content-Encoding that is not known here; gzip and deflate are")
    return body


def _is_text(body: bytes) -> bool:
    """Whether a body has no control characters, which compressed data is full of."""
    return body.startswith(_BYTE_ORDER_MARKS) or body.translate(None, _CONTROLS) == body


def _gunzip(body: bytes, max_body: int) -> bytes:
    unpacked = b""
    for _ in range(_MAX_MEMBERS):
        piece, body = _inflate(body, _GZIP_WINDOW, max_body - len(unpacked), max_body)
        unpacked += piece
        if not body.startswith(_GZIP_MAGIC):  # the end, or padding
            return unpacked
    raise PackagingError("The request is gzip-encoded in too many pieces")


def _inflate_any(body: bytes, max_body: int) -> bytes:
    """Undo ``deflate``, which is zlib's format by the rule (RFC 9110, 8.4.1.2) and raw deflate from many senders."""
    try:
        return _inflate(body, _ZLIB_WINDOW, max_body, max_body)[0]
    except zlib.error:
        return _inflate(body, _RAW_WINDOW, max_body, max_body)[0]


def _inflate(body: bytes, window: int, room: int, max_body: int) -> tuple[bytes, bytes]:
    """Return what is unpacked, and what follows the compressed data. It stops one byte beyond the room there is.

    Raises:
        PackagingError: it is larger than that, or its end is missing.
        zlib.error: it is not in this format.
    """
    unpacker = zlib.decompressobj(window)
    unpacked = unpacker.decompress(body, room + 1)
    if len(unpacked) > room:
        raise PackagingError(f"The request is larger than {max_body} bytes when it is unpacked")
    if not unpacker.eof:
        raise PackagingError("The request is compressed, and its end is missing")
    return unpacked, unpacker.unused_data


_DECODERS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate_any,
}
