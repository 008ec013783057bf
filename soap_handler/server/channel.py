"""waitress's two hooks: its channel, which is one HTTP connection, and its parser, which is one request in the making.

Here the holes are stopped through which an answer could be lost, everything that is kept of a request is bounded, and
the rules for headers are stricter. Nothing here listens, and nothing knows what a request means.

Request smuggling: headers that two servers may read in two ways are refused. waitress refuses most of them: bare line
ends, white space before a colon, lengths that are no numbers or differ. :func:`fault_in` is the rest.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import WSGITask
from waitress.utilities import BadRequest

from soap_handler.server.refused_requests import RefusalTask
from soap_handler.web.application import ARRIVED, CLOSE_AFTER, HOLD_ANSWER
from soap_handler.web.client_address import shown

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

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


class _Task(WSGITask):  # type: ignore[misc] # waitress has no types
    """Answers a request, and during a drain says that this answer is the connection's last."""

    def get_environment(self) -> WSGIEnvironment:
        environ: WSGIEnvironment = super().get_environment()
        environ[HOLD_ANSWER] = self.channel.hold
        environ[CLOSE_AFTER] = self.set_close_on_finish
        environ[ARRIVED] = self.channel.active
        return environ

    def build_response_header(self) -> bytes:
        if self.channel.server.draining:
            self.request.headers["CONNECTION"] = "close"
        header: bytes = super().build_response_header()
        return header


class Channel(HTTPChannel):  # type: ignore[misc] # waitress has no types
    """One connection. Times are of the monotonic clock."""

    task_class = _Task
    error_task_class = RefusalTask
    parser_class = Parser
    addr: tuple[Any, ...]
    """The address of the peer, in the form in which callers are named, and its port."""

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 - waitress's signature
        self.opened = self.active = time.monotonic()
        """When it was opened, and when something last came or went."""
        self.began: float | None = None
        """When the request that is arriving began to arrive; ``None`` while none is."""
        self._held_until = 0.0
        super().__init__(*args, **named)
        self.addr = (shown(str(self.addr[0])), *self.addr[1:])

    @property
    def held(self) -> bool:
        """Whether its answer is being held back."""
        return time.monotonic() < self._held_until and not self.server.draining

    def hold(self, seconds: float) -> None:
        """Send nothing for this long. Any thread may call it, and none waits.

        A shorter time for a later request of the same connection does not cut off a longer one.
        """
        self._held_until = max(self._held_until, time.monotonic() + seconds)

    @property
    def has_pending_response(self) -> bool:
        """Whether a request has come in whose answer is not yet sent."""
        return bool(self.requests or self.total_outbufs_len)

    def writable(self) -> bool:
        """Whether there is something to send that may be sent."""
        return bool(super().writable()) and (self.will_close or not self.held)

    def _flush_some(self, do_close: bool = True) -> bool:  # noqa: FBT001, FBT002 - waitress's signature
        if self.held:
            return False
        sent: bool = super()._flush_some(do_close)
        if sent:
            self.active = time.monotonic()
        return sent

    def received(self, data: bytes) -> bool:
        """Take in bytes, and note when a request began with them."""
        arriving = self.request
        done: bool = super().received(data)
        self.active = time.monotonic()
        if self.request is not arriving:
            self.began = None if self.request is None else self.active
        return done

    def send_continue(self) -> None:
        """Tell the caller to send the body; nothing when there is none to wait for.

        waitress would then forget that the request is complete, and never answer it.
        """
        if self.request.completed:
            self.request.expect_continue = False
        else:
            super().send_continue()
