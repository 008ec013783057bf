"""WSGI middleware that injects outages: the ways in which an inbox fails without a SOAP fault."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from waitress.channel import ClientDisconnected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class OutageKind(StrEnum):
    """One way in which the inbox does not answer as it should."""

    SERVER_ERROR = "server_error"
    """HTTP 500 with a plain text."""
    TIMEOUT = "timeout"
    """No answer at all; the connection stays open until the outage ends or the caller hangs up."""
    SLOW = "slow"
    """The right answer, late."""
    RESET = "reset"
    """The call is not carried out, and the connection is reset."""
    LOST_ANSWER = "lost_answer"
    """The call is carried out, but the connection is reset before the answer."""
    HTML = "html"
    """HTTP 200 with an HTML page, as proxies and maintenance pages send it."""
    EMPTY = "empty"
    """HTTP 200 with nothing in it."""


QUICK_KINDS: Final = tuple(kind for kind in OutageKind if kind is not OutageKind.TIMEOUT)
"""Every kind that does not cost the caller its whole timeout."""

_HTML_PAGE: Final = b"<html><head><title>Maintenance</title></head><body><p>We will be back soon.<br></body></html>"
POLL_SECONDS: Final = 0.02  # between two looks at whether the caller hung up


@dataclass(slots=True)
class _Outage:
    kind: OutageKind
    calls: int | None
    """How many calls it still hits; ``None``: until it is ended."""


class Outages:
    """Middleware that decides which call meets which outage, and carries it out. Thread-safe."""

    def __init__(self, app: WsgiApp, *, share: float, kinds: tuple[OutageKind, ...], slow: float, rng: Random) -> None:
        self._app = app
        self._share = share
        self._kinds = kinds
        self._slow = slow
        self._rng = rng
        self._lock = threading.Lock()
        self._current: _Outage | None = None
        self._over = threading.Event()

    @property
    def current(self) -> OutageKind | None:
        """The present outage."""
        outage = self._current
        return None if outage is None else outage.kind

    def begin(self, kind: OutageKind, calls: int | None = None) -> None:
        """Begin an outage for the next calls, or until :meth:`end`. It replaces the present one."""
        with self._lock:
            self._finish()
            self._current = _Outage(kind, calls)

    def end(self) -> None:
        """End the outage. Calls that wait for an answer are cut off; slow calls get their answer."""
        with self._lock:
            self._finish()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer with the outage of this call, or as the service does."""
        kind, over = self._next() if environ["REQUEST_METHOD"] == "POST" else (None, self._over)
        match kind:
            case None:
                return self._app(environ, start_response)
            case OutageKind.SERVER_ERROR:
                return answer(start_response, "500 Internal Server Error", "text/plain", b"Internal Server Error")
            case OutageKind.HTML:
                return answer(start_response, "200 OK", "text/html", _HTML_PAGE)
            case OutageKind.EMPTY:
                return answer(start_response, "200 OK", "text/xml; charset=utf-8", b"")
            case OutageKind.SLOW:
                over.wait(self._slow)
                return self._app(environ, start_response)
            case OutageKind.TIMEOUT:
                _hang(environ, over)
            case OutageKind.LOST_ANSWER:
                _consume(self._app(environ, lambda *_: None))
        return _reset(environ)

    def _next(self) -> tuple[OutageKind | None, threading.Event]:
        """Return the outage of this call, and the event that ends it."""
        with self._lock:
            outage = self._current
            if outage is None and self._rng.random() < self._share:
                outage = self._current = _Outage(self._rng.choice(self._kinds), self._rng.randint(1, 3))
            if outage is None:
                return None, self._over
            if outage.calls is not None:
                outage.calls -= 1
                self._current = outage if outage.calls > 0 else None
            return outage.kind, self._over

    def _finish(self) -> None:
        self._current = None
        self._over.set()
        self._over = threading.Event()


def answer(start_response: Callable[..., Any], status: str, media_type: str, body: bytes) -> list[bytes]:
    """Answer a request with a body in one piece."""
    start_response(status, [("Content-Type", media_type), ("Content-Length", str(len(body)))])
    return [body]


def _consume(answer: Iterable[bytes]) -> None:
    for _ in answer:
        pass


def _hang(environ: dict[str, Any], over: threading.Event) -> None:
    while not over.wait(POLL_SECONDS):
        if environ["waitress.client_disconnected"]():
            raise ClientDisconnected


def _reset(environ: dict[str, Any]) -> list[bytes]:
    """Reset the connection. waitress's check for disconnection is a method of the channel, which has the socket."""
    channel = environ["waitress.client_disconnected"].__self__
    try:
        if channel.socket is not None:  # it is None when the caller hung up first
            channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError as error:  # the caller hung up at this very moment
        raise ClientDisconnected from error
    raise ClientDisconnected
