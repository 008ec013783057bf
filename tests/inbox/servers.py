"""Inbox services over raw sockets that are wrong in exactly one way each, and the right answers to compare with."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pydantic import SecretStr

from soap_handler.contract import NAMESPACE, SOAP_11
from soap_handler.settings import InboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable

_DEADLINE = 10.0


@dataclass(frozen=True)
class Call:
    """A request as it came."""

    head: str
    body: str

    @property
    def operation(self) -> str:
        found = re.search(rf'SOAPAction: "{NAMESPACE}/(\w+)"', self.head, re.IGNORECASE)
        return found[1] if found else ""

    @property
    def ids(self) -> list[str]:
        return re.findall(r"<(?:\w+:)?(?:id|string)>([^<]*)<", self.body)


class Server:
    """A raw TCP server on a free port. ``answer`` gets each call and the connection; it may do anything with it."""

    def __init__(self, answer: Callable[[Call, Connection], None]) -> None:
        self.answer = answer
        self.calls: list[Call] = []
        self.connections = 0
        self.closing = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/secure/messenger/soap/InboxService.asmx"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_DEADLINE)
        self._listener.close()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while (call := _read_call(connection)) is not None:
                self.calls.append(call)
                self.answer(call, Connection(connection, self.closing))


@dataclass(frozen=True)
class Connection:
    """The server's end of a connection."""

    socket: socket.socket
    closing: threading.Event

    def send(self, status: int, body: str | bytes, *headers: str) -> None:
        self.socket.sendall(http(status, body, *headers))

    def drip(self, text: bytes) -> None:
        """Send a text byte by byte, and the last byte again and again, until the caller hangs up."""
        for position in range(10**6):
            self.socket.sendall(text[position : position + 1] or text[-1:])
            if self.closing.wait(0.02):
                return

    def say_nothing(self) -> None:
        self.closing.wait(_DEADLINE)

    def hang_up(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def always(status: int, body: str | bytes, *headers: str) -> Callable[[Call, Connection], None]:
    """Return an answer that is the same for every call."""
    return lambda _, connection: connection.send(status, body, *headers)


def right(call: Call, connection: Connection) -> None:
    """Answer as the contract says."""
    connection.send(200, response(call.operation))


def http(status: int, body: str | bytes, *headers: str) -> bytes:
    payload = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Type: text/xml; charset=utf-8", *headers]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"Content-Length: {len(payload)}")
    return "\r\n".join([*lines, "", ""]).encode() + payload


def envelope(content: str) -> str:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP_11}">'
        f"<soap:Body>{content}</soap:Body></soap:Envelope>"
    )


def response(operation: str) -> str:
    return envelope(f'<{operation}Response xmlns="{NAMESPACE}" />')


def fault(code: str = "soap:Server", string: str = "Server was unable to process request.", detail: str = "") -> str:
    return envelope(
        f"<soap:Fault><faultcode>{code}</faultcode><faultstring>{string}</faultstring>"
        f"<detail>{detail}</detail></soap:Fault>"
    )


def settings(url: str, *, timeout: float = 5.0, proxy: str | None = None, secret: str | None = None) -> InboxSettings:
    return InboxSettings(
        url=url,
        username="someone",
        password=SecretStr(secret or "secret"),
        timeout=timeout,
        connect_timeout=5.0,
        proxy=proxy,
        ca_bundle=None,
    )


def _read_call(connection: socket.socket) -> Call | None:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return Call(head.decode(), body.decode())
