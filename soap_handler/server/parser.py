"""waitress's parser of one HTTP request, with stricter rules for headers and a bound on everything that it keeps."""

from __future__ import annotations

from typing import Final

from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest

from soap_handler.server.header_rules import fault_in

_MAX_CHUNK_LINE: Final = 8192  # bytes of a chunk's size line or of the trailers; waitress itself has no limit


class BoundedBuffer(OverflowableBuffer):  # type: ignore[misc] # waitress has no types
    """Keeps the beginning of a body that is too large: enough to see that it is, whatever follows.

    So such a body is read to its end, and a caller that sends first and reads afterwards finds our answer.
    """

    def append(self, s: bytes) -> None:
        """Keep as much of it as there is room for."""
        super().append(s[: max(0, self.overflow - 1 - len(self))])


class Parser(HTTPRequestParser):  # type: ignore[misc] # waitress has no types
    """Reads requests. ``adj.inbuf_overflow`` must be greater by two than the largest body that is wanted."""

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
