"""The reader made for the four operations as EMS sends them: one pass over the parsed envelope, no checks but a table.

It knows only the usual: whatever is not exactly as expected gives ``None``, and the general way (``protocol``) decides
what that is. A property test holds the two together: equal values, or the general way alone.
"""

from __future__ import annotations

import re
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from lxml import etree

from soap_handler.accounts.accounts import Credentials
from soap_handler.contract import NAMESPACE, SOAP_11
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lxml.etree import _Element as Element

    from soap_handler.receive.values import Fields

    Read = tuple[Kind, Fields, Credentials]
    """What a request says."""

_FRAME: Final = (
    f"{{{SOAP_11}}}Envelope",
    f"{{{SOAP_11}}}Header",
    f"{{{SOAP_11}}}Body",
    f"{{{NAMESPACE}}}MessengerHeader",
)
_MUST_UNDERSTAND: Final = f"{{{SOAP_11}}}mustUnderstand"


def _tags(**names: str) -> dict[str, str]:
    return {f"{{{NAMESPACE}}}{wire}": attribute for wire, attribute in names.items()}


_CREDENTIALS: Final = _tags(Username="username", Password="password", Account="account")  # noqa: S106 - names, no secrets
_FAILURE_REASON: Final = f"{{{NAMESPACE}}}failurereason"
_FAILURE: Final = _tags(code="code", description="description", permanentfailure="permanent_failure")
_OPERATIONS: Final = {
    f"{{{NAMESPACE}}}{kind.value}": (kind, parameters)
    for kind, parameters in {
        Kind.MESSAGE_RECEIVED: _tags(
            id="id",
            originator="originator",
            recipient="recipient",
            body="body",
            type="type",
            sentat="sent_at",
            receivedat="received_at",
        ),
        Kind.MESSAGE_EVENT: _tags(id="id", eventtype="event_type", occurredat="occurred_at"),
        Kind.MESSAGE_ERROR: _tags(
            id="id",
            errortype="error_type",
            occurredat="occurred_at",
            detail="detail",
            failurereason="failure_reason",
        ),
        Kind.SUBSCRIPTION_EVENT: _tags(
            mobileNumber="mobile_number", contactID="contact_id", eventCode="event_code", occurredAt="occurred_at"
        ),
    }.items()
}


_START: Final = re.compile(
    rb"""(?:<\?xml\s+version=(["'])1\.0\1(?:\s+encoding=(["'])utf-8\2)?\s*\?>\s*)?<[A-Za-z_]""", re.IGNORECASE
)
"""The beginning of a document that is certainly in UTF-8, or not well-formed."""
_REMEMBERED: Final = 256  # frames; a caller has one for each operation, or fewer
_LONGEST: Final = 4096  # bytes of a frame that is worth remembering


class UnusualError(Exception):
    """The request is not as EMS usually sends it; it may be good all the same."""


_UNREADABLE: Final = (UnusualError, etree.XMLSyntaxError, ValueError, LookupError)


class QuickReader:
    """Reads usual requests. Not thread-safe, since its parser is not: one for each thread that reads."""

    def __init__(self) -> None:
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
        )
        self._parse: Callable[[bytes], Element] = partial(etree.fromstring, parser=parser)
        self._frames: dict[bytes, Credentials] = {}

    def read(self, bodies: Sequence[bytes]) -> list[Read | None]:
        """Return what each of the requests says, or ``None`` where the general way must look.

        Where all around an operation, credentials included, has been read before, the operation alone is parsed. Each
        step is done for all requests before the next step is.
        """
        known = [self._recognise(body) for body in bodies]
        roots = [None if each is None else self._root(each[0]) for each in known]
        read = [
            None if each is None or root is None else _read_known(root, each[1])
            for each, root in zip(known, roots, strict=True)
        ]
        return [each or self._read_new(body) for each, body in zip(read, bodies, strict=True)]

    def _recognise(self, body: bytes) -> tuple[bytes, Credentials] | None:
        """Return the operation, and the credentials that its frame is known to hold."""
        begin, end = _operation_in(body)
        credentials = self._frames.get(_name(body[:begin], body[end:])) if begin > 0 else None
        return None if credentials is None else (body[begin:end], credentials)

    def _root(self, document: bytes) -> Element | None:
        try:
            return self._parse(document)
        except _UNREADABLE:
            return None

    def _read_new(self, body: bytes) -> Read | None:
        """Read a request as a whole, and remember the frame of its operation."""
        if b"<!DOCTYPE" in body or not _START.match(body):  # a doctype may be in somebody's message only
            return None
        root = self._root(body)
        try:
            read = None if root is None else _read(root)
        except _UNREADABLE:
            return None
        if read is not None:
            self._remember(body, *read)
        return read

    def _remember(self, body: bytes, kind: Kind, fields: Fields, credentials: Credentials) -> None:
        begin, end = _operation_in(body)
        if begin < 0 or not _is_plain(body[:begin], body[end:]):
            return
        root = self._root(body[begin:end])
        # What an operation says without its frame is the frame's too, since no frame holds another operation.
        if root is not None and _read_known(root, credentials) == (kind, fields, credentials):
            if len(self._frames) >= _REMEMBERED:
                self._frames.clear()
            self._frames[_name(body[:begin], body[end:])] = credentials


def _name(before: bytes, after: bytes) -> bytes:
    """Return a name of a frame: a digest, so that no time tells how much of a password was right."""
    return sha256(b"\0".join((before, after))).digest()


def _is_plain(before: bytes, after: bytes) -> bool:
    """Whether an element in this frame is one, whatever it is: its place is in no comment, CDATA or instruction."""
    start = _START.match(before)
    rest = before[start.end() if start else 0 :] + after
    return len(rest) <= _LONGEST and b"<!" not in rest and b"<?" not in rest


def _operation_in(body: bytes) -> tuple[int, int]:
    """Return where the operation probably begins and ends, or -1.

    That is what stands between the first tag that may be Body's and the last two tags, Body's and Envelope's.
    """
    begin = body.find(b"<", body.find(b"Body>"))
    if not body[begin + 1 : begin + 2].isalpha():
        return -1, -1
    return begin, body.rfind(b"</", begin, body.rfind(b"</"))


def _read_known(operation: Element, credentials: Credentials) -> Read | None:
    try:
        return *_read_operation(operation), credentials
    except _UNREADABLE:
        return None


def _read(root: Element) -> Read:
    header, content = root  # ValueError: not two parts
    (block,), (operation,) = header, content  # likewise
    if (root.tag, header.tag, content.tag, block.tag) != _FRAME:
        raise UnusualError
    if root.keys() or header.keys() or content.keys() or set(block.keys()) - {_MUST_UNDERSTAND}:
        raise UnusualError
    return *_read_operation(operation), Credentials(**_credentials(block))


def _read_operation(operation: Element) -> tuple[Kind, Fields]:
    kind, parameters = _OPERATIONS[operation.tag]
    if operation.keys():
        raise UnusualError
    return kind, _fields(operation, parameters)


def _credentials(block: Element) -> dict[str, str]:
    texts = {"username": "", "password": "", "account": ""}
    for child in block:
        texts[_CREDENTIALS[child.tag]] = _text(child)
    if len(block) != len(texts):
        raise UnusualError
    return texts


def _fields(operation: Element, parameters: dict[str, str]) -> Fields:
    fields: dict[str, str | Fields | None] = {}
    for child in operation:
        tag = child.tag
        fields[parameters[tag]] = _fields(child, _FAILURE) if tag == _FAILURE_REASON else _text(child)
    if len(fields) != len(operation):
        raise UnusualError  # something is repeated
    return fields


def _text(element: Element) -> str:
    if len(element) or element.keys():
        raise UnusualError
    return element.text or ""
