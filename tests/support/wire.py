"""SOAP requests as bytes, and a client that sends bytes over a socket. No service is started here."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from xml.sax.saxutils import escape

from lxml import etree

from soap_handler.contract import NAMESPACE, SOAP_11, SOAP_12, soap_action

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH: Final = "/AccountEventHandler"
USERNAME: Final = "ems"
PASSWORD: Final = "s3cret"
REFERENCE: Final = "EX0012345"
NUMBER: Final = "447786204254"
OTHER_USERNAME: Final = "other"
OTHER_PASSWORD: Final = "an0ther-word"
OTHER_REFERENCE: Final = "EX0067890"

DEFAULTS: Final[dict[str, dict[str, str]]] = {
    "MessageReceived": {
        "id": "8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5d",
        "originator": "447700900123",
        "recipient": NUMBER,
        "body": "Yes please",
        "type": "Text",
        "sentat": "2008-06-12T09:15:30Z",
        "receivedat": "2008-06-12T09:15:31Z",
    },
    "MessageEvent": {
        "id": "1f0a7f6e-0c57-4b8e-9a57-5d7c2f1f8f10",
        "eventtype": "Delivered",
        "occurredat": "2008-06-12T10:16:02Z",
    },
    "MessageError": {
        "id": "5b9f5a51-6b4c-4b0f-8a3a-0a9d8f7e6c55",
        "errortype": "Failed",
        "occurredat": "2008-06-13T10:16:02Z",
        "detail": "It failed",
    },
    "SubscriptionEvent": {
        "mobileNumber": "447700900123",
        "contactID": "",
        "eventCode": "Subscribe",
        "occurredAt": "2008-06-12T10:20:00Z",
    },
}


def header(username: str = USERNAME, password: str = PASSWORD, account: str = REFERENCE, attributes: str = "") -> str:
    """Return a ``MessengerHeader`` element."""
    values = {"Username": username, "Password": password, "Account": account}
    return f'<MessengerHeader xmlns="{NAMESPACE}" {attributes}>{elements(values)}</MessengerHeader>'


def elements(values: Mapping[str, str]) -> str:
    """Return an element for each value, in order; what XML normalises away is written as references."""
    return "".join(f"<{name}>{escape(value, {chr(13): '&#13;'})}</{name}>" for name, value in values.items())


def operation(name: str = "MessageReceived", inner: str | None = None, **values: str) -> str:
    """Return an operation's element: the defaults with these values in their place, or ``inner`` as it is."""
    content = elements(DEFAULTS[name] | values) if inner is None else inner
    return f'<{name} xmlns="{NAMESPACE}">{content}</{name}>'


def envelope(body: str | None = None, head: str | None = None, namespace: str = SOAP_11) -> bytes:
    """Return a SOAP message; without arguments a good one."""
    head = header() if head is None else head
    body = operation() if body is None else body
    return (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{namespace}">'
        f"<soap:Header>{head}</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def message(name: str = "MessageReceived", **values: str) -> bytes:
    """Return a good SOAP message with these values in the place of the defaults."""
    return envelope(operation(name, **values))


def request(body: bytes = b"", *headers: str, start: str = f"POST {PATH} HTTP/1.1", sized: bool = True) -> bytes:
    """Return an HTTP request; ``headers`` come before the usual ones."""
    lines = [start, "Host: localhost", *headers]
    if not any(line.lower().startswith("content-type") for line in headers):
        lines.append("Content-Type: text/xml; charset=utf-8")
    if sized:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(body: bytes, size: int = 100) -> bytes:
    """Return a body in chunks."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """An HTTP response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def fault(self) -> tuple[str, str] | None:
        """The code (without its prefix) and the text of the SOAP fault, or ``None`` when there is none."""
        root = etree.fromstring(self.body)
        found = root.find(f".//{{{SOAP_12}}}Fault")
        if found is not None:
            code, text = (found.findtext(path) or "" for path in ("{*}Code/{*}Value", "{*}Reason/{*}Text"))
            return code.partition(":")[2], text
        found = root.find(f".//{{{SOAP_11}}}Fault")
        if found is None:
            return None
        return (found.findtext("faultcode") or "").partition(":")[2], found.findtext("faultstring") or ""

    @property
    def confirms(self) -> str | None:
        """The operation that this is the contract's answer to: 200 and its empty response element."""
        root = etree.fromstring(self.body)
        (content,) = (*root.findall(f"{{{SOAP_11}}}Body"), *root.findall(f"{{{SOAP_12}}}Body"))
        name = etree.QName(content[0])
        empty = len(content) == 1 and not len(content[0]) and not content[0].text and not content[0].attrib
        right = self.status == 200 and name.namespace == NAMESPACE and name.localname.endswith("Response") and empty
        return name.localname.removesuffix("Response") if right else None


class Connection:
    """A client's connection, on which bytes are sent as they are."""

    def __init__(self, port: int, timeout: float = 60.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._reader = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._reader.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, data: bytes) -> Answer:
        """Send, and read one answer."""
        self.send(data)
        return self.answer()

    def answer(self, *, with_body: bool = True) -> Answer:
        """Read one response; ``100 Continue`` is one too."""
        first = self._reader.readline()
        assert first.startswith(b"HTTP/1."), f"no answer but {first!r}"
        headers = {}
        while (line := self._reader.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", "0")) if with_body else 0
        return Answer(int(first.split()[1]), headers, self._reader.read(length))

    @property
    def at_end(self) -> bool:
        """Whether the server sends nothing more and has closed the connection (waits for one or the other)."""
        return self._reader.read(1) == b""


def ask(port: int, data: bytes) -> Answer:
    """Send bytes on a connection of their own, and read one answer."""
    with Connection(port) as connection:
        return connection.ask(data)


def post(port: int, body: bytes, *headers: str, path: str = PATH) -> Answer:
    """Post a body as EMS does, and read the answer."""
    action = f'SOAPAction: "{soap_action("MessageReceived")}"'
    return ask(port, request(body, action, *headers, start=f"POST {path} HTTP/1.1"))
