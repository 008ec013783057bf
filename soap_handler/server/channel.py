"""waitress's reading and answering of one connection, with the holes stopped through which an answer could be lost.

Nothing here listens or knows what a request means.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import InternalServerError, build_http_date

from soap_handler.faces.soap.endpoint import CONTENT_TYPE, Answer, failure, refusal
from soap_handler.server.parser import Parser
from soap_handler.web.application import HOLD

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


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
    parser_class = Parser

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

    def answer(self, answer: Answer) -> None:
        """Answer the first request of this connection; :meth:`go_on` must follow.

        Both are for the thread of the I/O loop alone. Of several connections, answer all before the first one goes on:
        what has to be done then is done while the callers read.
        """
        if not self.connected or self._write_answer(self.requests[0], answer):
            self.close_when_flushed: bool = True

    def go_on(self) -> None:
        """Leave the request that was answered, and go on with the next one, as waitress does behind a thread's."""
        self.requests[0].close()
        with self.requests_lock:
            if self.close_when_flushed:
                for waiting in self.requests[1:]:
                    waiting.close()
                self.requests: list[Any] = []
                return
            self.requests.pop(0)
            if self.connected and self.requests:
                self.server.add_task(self)
            elif self._waits_for_continue():
                self.send_continue()

    def _write_answer(self, request: Any, answer: Answer) -> bool:  # noqa: ANN401 - waitress has no types
        """Return whether the connection is to be closed behind it."""
        wish = "close" if self.server.draining else request.headers.get("CONNECTION", "").lower()
        content, close = _response(request.version, wish, answer.status, answer.body, int(time.time()))
        self._send(content)
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

    def _waits_for_continue(self) -> bool:
        coming = self.request
        expects = coming is not None and coming.expect_continue and coming.headers_finished
        return bool(self.connected and expects and not self.sent_continue)

    @property
    def rests(self) -> bool:
        """Whether there is nothing to do on it until a request comes."""
        return bool(self.readable())  # which waitress does not want as long as there is something to send

    @property
    def owes(self) -> bool:
        """Whether a request has come in whose answer is not yet sent."""
        return bool(self.requests or self.total_outbufs_len)


def _persistence(version: str, wish: str) -> tuple[str, bool]:
    """Return the Connection header's line and whether to close after the answer, by the caller's version and wish."""
    if version == "1.1":
        return ("Connection: close\r\n", True) if wish == "close" else ("", False)
    return ("Connection: Keep-Alive\r\n", False) if wish == "keep-alive" else ("Connection: close\r\n", True)


@lru_cache(maxsize=64)  # within a second all answers of an operation are the same
def _response(version: str, wish: str, status: str, body: bytes, now: int) -> tuple[bytes, bool]:
    """Return what to send, and whether to close the connection behind it."""
    protocol = "1.1" if version == "1.1" else "1.0"
    connection, close = _persistence(version, wish)
    lines = f"Content-Length: {len(body)}\r\nContent-Type: {CONTENT_TYPE}\r\nDate: {build_http_date(now)}\r\n"
    return f"HTTP/{protocol} {status}\r\n{connection}{lines}\r\n".encode("latin-1") + body, close
