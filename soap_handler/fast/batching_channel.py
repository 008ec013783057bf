"""Request batching: a channel that the I/O loop itself answers. waitress's own can only be answered by a thread.

The answer goes straight to the socket where there is room, which saves a buffer and a turn of the loop.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from waitress.utilities import build_http_date

from soap_handler.fast.head_cache import HeadCachingParser
from soap_handler.server.channel import Channel

if TYPE_CHECKING:
    from soap_handler.faces.base import Answer


class BatchingChannel(Channel):
    """One connection. Its methods are for the thread of the loop alone."""

    parser_class = HeadCachingParser

    def send_answer(self, answer: Answer) -> None:
        """Answer the first request; :meth:`finish_request` must follow."""
        request = self.requests[0]
        wish = "close" if self.server.draining else request.headers.get("CONNECTION", "").lower()
        line, close = _persistence(request.version, wish)
        if self.connected:
            self._send(_head(request.version, answer, line) + answer.body)
        if close or not self.connected:
            self.close_when_flushed: bool = True

    def finish_request(self) -> None:
        """Drop the request that was answered, and go on with the next one, as waitress does after a thread's."""
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


def _persistence(version: str, wish: str) -> tuple[str, bool]:
    """Return the Connection header's line and whether to close after the answer, by the caller's version and wish."""
    if version == "1.1":
        return ("Connection: close\r\n", True) if wish == "close" else ("", False)
    return ("Connection: Keep-Alive\r\n", False) if wish == "keep-alive" else ("Connection: close\r\n", True)


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return str(build_http_date(second))


def _head(version: str, answer: Answer, connection: str) -> bytes:
    protocol = "1.1" if version == "1.1" else "1.0"
    lines = (
        f"HTTP/{protocol} {answer.status}\r\n{connection}Content-Length: {len(answer.body)}\r\n"
        f"Content-Type: {answer.content_type}\r\nDate: {_date(int(time.time()))}\r\n\r\n"
    )
    return lines.encode("latin-1")
