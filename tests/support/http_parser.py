"""One HTTP request for a parser, however it comes, and what is asked of it afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from waitress.adjustments import Adjustments

if TYPE_CHECKING:
    from soap_handler.server.channel import Parser

LARGEST: Final = 64  # bytes of a body
ADJUSTMENTS: Final = Adjustments(inbuf_overflow=LARGEST + 2, max_request_header_size=1024)
ADJUSTMENTS.max_headers = 20


def sent(body: bytes, *headers: str, method: str = "POST") -> bytes:
    """Return a request as it is on the wire."""
    lines = [f"{method} /x?y=1 HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def read(parser_class: type[Parser], *pieces: bytes) -> tuple[Parser, int]:
    """Return the request and how many bytes of the last piece belong to it."""
    parser, consumed = parser_class(ADJUSTMENTS), 0
    for piece in pieces:
        rest = piece
        while rest and not parser.completed:
            consumed = parser.received(rest)
            rest = rest[consumed:]
    return parser, consumed


def body_of(parser: Parser) -> bytes:
    """Return the body, as the application reads it."""
    stream = parser.get_body_stream()
    stream.seek(0)
    content: bytes = stream.read()
    return content


def seen(parser: Parser) -> dict[str, Any]:
    """Return everything that is asked of a request."""
    names = ("completed", "error", "headers", "command", "path", "query", "version", "content_length", "empty")
    return {name: getattr(parser, name) for name in names} | {"body": body_of(parser)}
