"""waitress's parser of one HTTP request, with stricter rules for headers and a bound on everything that it keeps.

Request smuggling: headers that two servers may read in two ways are refused. waitress refuses most of them: bare line
ends, white space before a colon, lengths that are no numbers or differ. :func:`fault_in` is the rest.
"""

from __future__ import annotations

from typing import Final

from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest

_MAX_CHUNK_LINE: Final = 8192  # bytes of a chunk's size line or of the trailers; waitress itself has no limit
_SINGLE: Final = (b"content-length", b"transfer-encoding", b"host")


class BoundedBuffer(OverflowableBuffer):  # type: ignore[misc] # waitress has no types
    """Keeps the beginning of a body that is too large: enough to see that it is, whatever follows.

    So such a body is read to its end, and a caller that sends first and reads afterwards finds our answer.

    ``overflow`` is the largest body plus two. waitress moves a buffer of ``overflow`` bytes to a file, so one byte less
    is kept: never a file. That is one byte more than the largest body: enough to see that a body is too large.
    """

    def append(self, s: bytes) -> None:
        """Keep as much of it as there is room for."""
        super().append(s[: max(0, self.overflow - 1 - len(self))])


class Parser(HTTPRequestParser):  # type: ignore[misc] # waitress has no types
    """Reads requests. ``adj.inbuf_overflow`` is the largest body plus two: see :class:`BoundedBuffer`."""

    def received(self, data: bytes) -> int:
        """Take in what has come; return how much of it belongs to this request."""
        consumed: int = super().received(data)
        if self.chunked and len(self.body_rcv.control_line) + len(self.body_rcv.trailer) > _MAX_CHUNK_LINE:
            self.error = BadRequest("A chunk's size line or the trailers are too long")
            self.completed = True
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the first line and the headers.

        Raises:
            ParsingError: they are against the rules.
        """
        fault = fault_in(header_plus, self.adj.max_headers)
        if fault is not None:
            raise ParsingError(fault)
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # a host or a length that Python cannot read, which would end the connection
            raise ParsingError("The request cannot be read") from error
        if self.body_rcv is not None:
            self.body_rcv.buf = BoundedBuffer(self.adj.inbuf_overflow)
        if "CONNECTION" in self.headers:
            self.headers["CONNECTION"] = persistence_wish(self.headers["CONNECTION"])


def persistence_wish(connection: str) -> str:
    """Return ``close`` or ``keep-alive`` where this list (RFC 9110, 7.6.1) holds it; waitress compares the whole."""
    options = {option.strip(" \t").lower() for option in connection.split(",")}
    return next((wish for wish in ("close", "keep-alive") if wish in options), connection)


def fault_in(block: bytes, max_headers: int) -> str | None:
    """Return what is wrong with a request's first line and headers, or ``None``.

    Rules: RFC 9112, sections 5.2 (folded lines), 6.1 (a length beside chunks, chunks before HTTP/1.1, other encodings)
    and 6.3 (two lengths); RFC 9110, section 7.2 (one host).
    """
    first, _, rest = block.partition(b"\r\n")
    lines = [line for line in rest.split(b"\r\n") if line]
    if len(lines) > max_headers:
        return "Too many headers"
    if any(line.startswith((b" ", b"\t")) for line in lines):
        return "A header is folded"
    found: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in _SINGLE and name in found:
            return "A header is repeated that must not be"
        found[name] = value.strip(b" \t")
    return _fault_in_framing(first, found)


def _fault_in_framing(first: bytes, headers: dict[bytes, bytes]) -> str | None:
    encoding = headers.get(b"transfer-encoding")
    if encoding is None:
        return None
    if b"content-length" in headers:
        return "Content-Length and Transfer-Encoding are both given"
    if not first.rstrip().endswith(b" HTTP/1.1"):
        return "Transfer-Encoding is given before HTTP/1.1"
    return None if encoding.lower() == b"chunked" else "Transfer-Encoding is not chunked"
