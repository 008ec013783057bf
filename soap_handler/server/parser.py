"""waitress's parser of one HTTP request, stricter where that is safer, and quicker where a caller repeats itself."""

from __future__ import annotations

from io import BytesIO
from typing import IO, Any, Final

from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import FixedStreamReceiver
from waitress.utilities import BadRequest

from soap_handler.server.header_rules import fault_in

_LONGEST_LINE: Final = 8192  # bytes of a chunk's size line or of the trailers; waitress itself has no limit
_REMEMBERED: Final = 256  # heads; those of one caller differ in the Content-Length only
_LONGEST_HEAD: Final = 2048  # bytes of a head that is worth remembering
_TRANSIENT: Final = frozenset({"adj", "body_rcv", "header_plus", "header_bytes_received", "body_bytes_received"})
_END: Final = b"\r\n\r\n"  # of a head


class _Bounded(OverflowableBuffer):  # type: ignore[misc] # waitress has no types
    """Keeps the beginning of a body that is too large: enough to see that it is, whatever follows.

    So such a body is read to its end, and a caller that sends first and reads afterwards finds our answer.
    """

    def append(self, s: bytes) -> None:
        super().append(s[: max(0, self.overflow - 1 - len(self))])


class Parser(HTTPRequestParser):  # type: ignore[misc] # waitress has no types
    """Reads requests. ``adj.inbuf_overflow`` must be greater by two than the largest body that is wanted.

    It remembers heads, since a caller sends the same ones again and again: only good ones, with a body of given length.
    """

    _heads: Final[dict[bytes, dict[str, Any]]] = {}
    _body: bytes | None = None  # of a request that came in one piece

    @property
    def body(self) -> bytes | None:
        """What the caller sent below the head, or the beginning of it where it is too large; ``None`` for nothing."""
        if self._body is not None or self.body_rcv is None:
            return self._body
        stream = self.get_body_stream()
        content: bytes = stream.read()
        stream.seek(0)
        return content

    def get_body_stream(self) -> IO[bytes]:
        """Return the body as a file."""
        if self._body is not None:
            return BytesIO(self._body)
        stream: IO[bytes] = super().get_body_stream()
        return stream

    def received(self, data: bytes) -> int:
        """Take in what has come; return how much of it belongs to this request."""
        if self.body_rcv is None and not self.header_plus and self._is_whole(data):
            return len(data)
        consumed: int = super().received(data)
        if self.chunked and len(self.body_rcv.control_line) + len(self.body_rcv.trailer) > _LONGEST_LINE:
            self.error = BadRequest("A chunk's size line or the trailers are too long")
            self.completed = True
        return consumed

    def _is_whole(self, data: bytes) -> bool:
        """Read the usual request: a known head, and with it its body, no more and no less. Return whether it is one."""
        end = data.find(_END) + len(_END)
        known = self._heads.get(data[:end])
        if known is None or len(data) - end != known["content_length"] or known.get("expect_continue", False):
            return False
        if end >= self.adj.max_request_header_size or len(data) - end > self.adj.inbuf_overflow - 2:
            return False
        self._recall(known)
        self._body = data[end:]
        self.headers_finished = True
        self.completed = True
        return True

    def parse_header(self, header_plus: bytes) -> None:
        """Read a head, or recall it."""
        known = self._heads.get(header_plus)
        if known is not None:
            self._recall(known)
            self.body_rcv = FixedStreamReceiver(self.content_length, _Bounded(self.adj.inbuf_overflow))
            return
        self._parse_header(header_plus)
        if type(self.body_rcv) is FixedStreamReceiver and len(header_plus) <= _LONGEST_HEAD:
            self._remember(header_plus)

    def _recall(self, known: dict[str, Any]) -> None:
        self.__dict__.update(known, headers=known["headers"].copy())

    def _remember(self, header_plus: bytes) -> None:
        if len(self._heads) >= _REMEMBERED:
            self._heads.clear()
        found = {name: value for name, value in vars(self).items() if name not in _TRANSIENT}
        self._heads[header_plus] = found | {"headers": self.headers.copy()}

    def _parse_header(self, header_plus: bytes) -> None:
        fault = fault_in(header_plus, self.adj.max_headers)
        if fault is not None:
            raise ParsingError(fault)
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # a host or a length that Python cannot read, which would end the connection
            raise ParsingError("The request cannot be read") from error
        if self.body_rcv is not None:
            self.body_rcv.buf = _Bounded(self.adj.inbuf_overflow)
