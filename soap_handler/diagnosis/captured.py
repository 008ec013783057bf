"""A captured request in a file: its HTTP head, if it has one, and its body, as the server would have read them.

waitress's parser and ours read it, so that what HTTP refuses is refused here too. What a copy spoils is mended first:
line ends of the head, a final newline, a length that fits no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from waitress.adjustments import Adjustments
from waitress.task import WSGITask

from soap_handler.faces.base import PATH
from soap_handler.server.channel import Parser
from soap_handler.server.server import parser_limits

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from soap_handler.settings import ServerSettings

_REQUEST_LINE: Final = re.compile(rb"[A-Za-z]+ \S+ HTTP/\d\.\d\r?\n")
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_LENGTH: Final = re.compile(rb"^content-length:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CHUNKED: Final = re.compile(rb"^transfer-encoding:[^\r\n]*(?:\r\n|$)", re.IGNORECASE | re.MULTILINE)
_XML: Final = "text/xml; charset=utf-8"
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class Captured:
    """A request as the server would have read it."""

    parser: Any
    """The parser that read it; its ``error`` says why HTTP refuses it."""
    body: bytes
    notes: list[str] = field(default_factory=list)
    """What had to be assumed or mended about the file."""

    @property
    def path(self) -> str:
        """The path that it was sent to; empty where it was refused before that was read."""
        return str(getattr(self.parser, "path", ""))

    def environ(self, caller: str) -> WSGIEnvironment:
        """Return waitress's environment of the request; ``caller`` is the address that it came from."""
        server = SimpleNamespace(
            adj=SimpleNamespace(url_prefix="", ident=None), effective_port=443, server_name="localhost"
        )
        channel = SimpleNamespace(addr=(caller, 0), server=server, check_client_disconnected=lambda: False)
        environ: WSGIEnvironment = WSGITask(channel, self.parser).get_environment()
        return environ


def read_captured(data: bytes, settings: ServerSettings, path: str = PATH) -> Captured:
    """Read a captured request. ``path`` is where one without an HTTP head was sent to."""
    notes: list[str] = []
    head, body = _split(data) if _REQUEST_LINE.match(data) else (_assumed(data, path, notes), data)
    head, body = _fitted(head, body, notes)
    parser = _parsed(head + b"\r\n\r\n" + body, settings)
    if not parser.completed and not parser.error:  # chunks without an end: the tool that captured it took them away
        notes.append("the head says chunked, but the body is not in chunks: read as it is")
        unchunked = _CHUNKED.sub(b"", head).rstrip(b"\r\n") + b"\r\nContent-Length: %d" % len(body)
        parser = _parsed(unchunked + b"\r\n\r\n" + body, settings)
    stream = parser.get_body_stream()
    read = stream.read()
    stream.seek(0)
    return Captured(parser, read, notes)


def _split(data: bytes) -> tuple[bytes, bytes]:
    """Return head and body; the lines of the head end as HTTP wants it, whatever an editor made of them."""
    blank = _BLANK_LINE.search(data)
    head, body = (data[: blank.start()], data[blank.end() :]) if blank else (data.rstrip(), b"")
    return head.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), body


def _assumed(body: bytes, path: str, notes: list[str]) -> bytes:
    content_type = _FORM if re.match(rb"[\w%.+-]+=", body) else _XML
    notes.append(f"the file has no HTTP head: assumed POST {path} with Content-Type {content_type}")
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}".encode()


def _fitted(head: bytes, body: bytes, notes: list[str]) -> tuple[bytes, bytes]:
    """Return head and body with a length that fits."""
    lengths = _LENGTH.findall(head)
    if not lengths and not re.search(rb"^(content-length|transfer-encoding):", head, re.IGNORECASE | re.MULTILINE):
        return head + b"\r\nContent-Length: %d" % len(body), body
    if len(lengths) != 1 or int(lengths[0]) == len(body):
        return head, body
    length = int(lengths[0])
    if length < len(body) and not body[length:].strip():  # a newline that an editor put at the end
        return head, body[:length]
    notes.append(f"the head says {length} bytes, the file has {len(body)}: all that the file has is read")
    return _LENGTH.sub(b"Content-Length: %d" % len(body), head), body


def _parsed(data: bytes, settings: ServerSettings) -> Any:  # noqa: ANN401 - waitress has no types
    limits = Adjustments(**parser_limits(settings))
    limits.max_headers = settings.max_headers
    parser = Parser(limits)
    while data and not parser.completed:
        data = data[parser.received(data) :]
    return parser
