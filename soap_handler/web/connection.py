"""waitress's reading and answering of one connection, with the holes stopped through which an answer could be lost.

Nothing here listens or knows what a request means.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import FixedStreamReceiver
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest, InternalServerError, build_http_date

from soap_handler.soap.endpoint import CONTENT_TYPE, Answer, failure, refusal
from soap_handler.web.application import HOLD
from soap_handler.web.strict import fault_in

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_LONGEST_LINE: Final = 8192  # bytes of a chunk's size line or of the trailers; waitress itself has no limit


_REMEMBERED: Final = 256  # heads; those of one caller differ in the Content-Length only
_LONGEST_HEAD: Final = 2048  # bytes of a head that is worth remembering
_TRANSIENT: Final = frozenset({"adj", "body_rcv", "header_plus", "header_bytes_received", "body_bytes_received"})


class _Bounded(OverflowableBuffer):  # type: ignore[misc] # waitress has no types
    """Keeps the beginning of a body that is too large: enough to see that it is, whatever follows.

    So such a body is read to its end, and a caller that sends first and reads afterwards finds our answer.
    """

    def append(self, s: bytes) -> None:
        super().append(s[: max(0, self.overflow - 1 - len(self))])


class _Parser(HTTPRequestParser):  # type: ignore[misc] # waitress has no types
    """Reads requests. ``adj.inbuf_overflow`` must be greater by two than the largest body that is wanted.

    It remembers heads, since a caller sends the same ones again and again: only good ones, with a body of given length.
    """

    _heads: Final[dict[bytes, dict[str, Any]]] = {}

    def parse_header(self, header_plus: bytes) -> None:
        known = self._heads.get(header_plus)
        if known is not None:
            self.__dict__.update(known, headers=known["headers"].copy())
            self.body_rcv = FixedStreamReceiver(self.content_length, _Bounded(self.adj.inbuf_overflow))
            return
        self._parse_header(header_plus)
        if type(self.body_rcv) is FixedStreamReceiver and len(header_plus) <= _LONGEST_HEAD:
            self._remember(header_plus)

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

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if self.chunked and len(self.body_rcv.control_line) + len(self.body_rcv.trailer) > _LONGEST_LINE:
            self.error = BadRequest("A chunk's size line or the trailers are too long")
            self.completed = True
        return consumed


class _Task(WSGITask):  # type: ignore[misc] # waitress has no types
    """Answers a request, and during a drain says that this answer is the connection's last."""

    def get_environment(self) -> WSGIEnvironment:
        environ: WSGIEnvironment = super().get_environment()
        environ[HOLD] = self.channel.hold
        return environ

    def build_response_header(self) -> bytes:
        if self.channel.server.draining:
            self.request.headers["CONNECTION"] = "close"
        header: bytes = super().build_response_header()
        return header


class _SoapErrorTask(ErrorTask):  # type: ignore[misc] # waitress has no types
    """Answers what waitress itself refuses (too large, malformed) by a fault, which is what a SOAP caller can read."""

    def execute(self) -> None:
        error = self.request.error
        ours = isinstance(error, InternalServerError)
        answer = failure() if ours else refusal(f"The HTTP request was refused: {error.reason}")
        self.status = answer.status
        self.response_headers.append(("Content-Type", CONTENT_TYPE))
        self.set_close_on_finish()
        self.content_length = len(answer.body)
        self.write(answer.body)


class Channel(HTTPChannel):  # type: ignore[misc] # waitress has no types
    """One connection."""

    task_class = _Task
    error_task_class = _SoapErrorTask
    parser_class = _Parser

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 - waitress's signature
        self.opened = self.active = time.monotonic()
        """When it was opened, and when something last came or went."""
        self.began: float | None = None
        """When the request that is arriving began to arrive; ``None`` while none is."""
        self._held_until = 0.0
        super().__init__(*args, **named)

    @property
    def held(self) -> bool:
        """Whether its answer is being held back."""
        return not self.server.draining and time.monotonic() < self._held_until

    def hold(self, seconds: float) -> None:
        """Send nothing for this long. Any thread may call it, and none waits."""
        self._held_until = time.monotonic() + seconds

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

    def reply(self, answer: Answer) -> None:
        """Answer the first request of this connection. For the thread of the I/O loop alone."""
        request = self.requests[0]
        close = self._write_answer(request, answer) if self.connected else True
        request.close()
        self._next_request(close=close)

    def _write_answer(self, request: Any, answer: Answer) -> bool:  # noqa: ANN401 - waitress has no types
        wish = "close" if self.server.draining else request.headers.get("CONNECTION", "").lower()
        connection, close = _persistence(request.version, wish)
        head = _head(request.version, answer.status, len(answer.body), connection, int(time.time()))
        self._send(head + answer.body)
        return close

    def _send(self, content: bytes) -> None:
        """Send what the socket takes at once, behind what waits already; the rest is left to the loop."""
        with self.outbuf_lock:
            sent = 0
            if not (self.total_outbufs_len or self.held):
                sent = self._flush_exception(lambda do_close: self.send(content, do_close))[0]
            if sent:
                self.last_activity, self.active = time.time(), time.monotonic()
            if sent < len(content) and self.connected:
                self.outbufs[-1].append(content[sent:])
                self.total_outbufs_len += len(content) - sent

    def _next_request(self, *, close: bool) -> None:
        """Go on with the next request of the connection, as waitress does when a thread has served one."""
        with self.requests_lock:
            if close:
                self.close_when_flushed = True
                for waiting in self.requests[1:]:
                    waiting.close()
                self.requests: list[Any] = []
                return
            self.requests.pop(0)
            if self.connected and self.requests:
                self.server.add_task(self)
            elif self._waits_for_continue():
                self.send_continue()

    def _waits_for_continue(self) -> bool:
        coming = self.request
        expects = coming is not None and coming.expect_continue and coming.headers_finished
        return bool(self.connected and expects and not self.sent_continue)

    @property
    def owes(self) -> bool:
        """Whether a request has come in whose answer is not yet sent."""
        return bool(self.requests or self.total_outbufs_len)


def _persistence(version: str, wish: str) -> tuple[str, bool]:
    """Return the Connection header's line and whether to close after the answer, by the caller's version and wish."""
    if version == "1.1":
        return ("Connection: close\r\n", True) if wish == "close" else ("", False)
    return ("Connection: Keep-Alive\r\n", False) if wish == "keep-alive" else ("Connection: close\r\n", True)


@lru_cache(maxsize=64)  # within a second all answers of an operation have the same head
def _head(version: str, status: str, length: int, connection: str, now: int) -> bytes:
    protocol = "1.1" if version == "1.1" else "1.0"
    lines = f"Content-Length: {length}\r\nContent-Type: {CONTENT_TYPE}\r\nDate: {build_http_date(now)}\r\n"
    return f"HTTP/{protocol} {status}\r\n{connection}{lines}\r\n".encode("latin-1")
