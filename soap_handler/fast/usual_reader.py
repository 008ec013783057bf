"""Fast path for envelopes in the exact form that EMS sends: one pass over the elements, and a cache of envelopes.

Trade-off: it knows the usual form only. For any other form it returns ``None``, and the general reader
(``faces.soap.endpoint``) takes the request. A property test holds both to equal values.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeAlias

from lxml import etree

from soap_handler.contract import SOAP_11
from soap_handler.faces.origin import SOAP, SOAP_NO_HEADER
from soap_handler.faces.soap.envelope import NOT_USUAL, UnusualError, has_loose_text, header_login, usual_operation
from soap_handler.faces.soap.versions import SOAP_1_1
from soap_handler.xml.parser import forget_names, hidden_error, safe_parser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lxml.etree import _Element as Element

    from soap_handler.accounts.authentication import Credentials
    from soap_handler.notifications import Kind
    from soap_handler.receive.push import Fields

Read: TypeAlias = "tuple[Kind, Fields, Credentials, str]"
"""The contents of a request, and the version of the API."""
_ENVELOPE: Final = f"{{{SOAP_11}}}Envelope"
_HEADER: Final = f"{{{SOAP_11}}}Header"
_BODY: Final = f"{{{SOAP_11}}}Body"

_START: Final = re.compile(
    rb"""(?:<\?xml\s+version=(["'])1\.0\1(?:\s+encoding=(["'])utf-8\2)?\s*\?>\s*)?<[A-Za-z_]""", re.IGNORECASE
)
"""The start of a document that is in UTF-8, or not well-formed."""
_MAX_ENVELOPES: Final = 256  # in the cache; a caller has at most one for each operation
_MAX_ENVELOPE_BYTES: Final = 4096  # without its operation


_UNREAD: Final = (*NOT_USUAL, etree.XMLSyntaxError)


class UsualReader:
    """Reader of usual requests. It is for one thread, since its parser is.

    It caches the envelopes around operations, by digest, with their credentials. Then it parses the operation alone,
    which has the credentials in it where the envelope has none (SOAP without headers).
    """

    def __init__(self) -> None:
        self._parser = safe_parser()
        self._forgotten = 0  # how often the thread forgot the names of its documents
        self._envelopes: dict[bytes, Credentials | None] = {}

    def read(self, bodies: Sequence[bytes]) -> list[Read | None]:
        """Return the contents of each request, or ``None`` where the general reader must take it.

        Each step is done for all requests before the next step: the processor's caches make that quicker.
        """
        if (forgotten := forget_names(sum(map(len, bodies)))) != self._forgotten:
            self._parser, self._forgotten = safe_parser(), forgotten
        known = [self._look_up(body) for body in bodies]
        roots = [None if each is None else self._root(each[0]) for each in known]
        read = [
            None if each is None or root is None else _read_known(root, each[1])
            for each, root in zip(known, roots, strict=True)
        ]
        return [each or self._read_new(body) for each, body in zip(read, bodies, strict=True)]

    def _look_up(self, body: bytes) -> tuple[bytes, Credentials | None] | None:
        """Return the operation, and the credentials of its envelope, if the cache has the envelope.

        With one declaration of a namespace, that of the operation, lxml's log has one warning, before any error.
        """
        begin, end = _operation_in(body)
        digest = _digest(body[:begin], body[end:]) if begin > 0 else b""
        if digest not in self._envelopes or body.count(b"xmlns", begin, end) != 1:
            return None
        return body[begin:end], self._envelopes[digest]

    def _root(self, document: bytes) -> Element | None:
        try:
            return etree.fromstring(document, self._parser)
        except _UNREAD:
            return None

    def _read_new(self, body: bytes) -> Read | None:
        """Read a whole request, and cache its envelope."""
        if b"<!DOCTYPE" in body or not _START.match(body):  # a text may hold it too; the general reader looks closer
            return None
        root = self._root(body)
        try:
            read, in_header = (None, None) if root is None or hidden_error(self._parser) else _read(root)
        except _UNREAD:
            return None
        if read is not None:
            self._cache(body, read, in_header)
        return read

    def _cache(self, body: bytes, read: Read, in_header: Credentials | None) -> None:
        """Cache the envelope of an operation, but only if parsing the operation alone gives the same result."""
        begin, end = _operation_in(body)
        if begin < 0 or not _is_plain(body[:begin], body[end:]):
            return
        root = self._root(body[begin:end])
        if root is not None and _read_known(root, in_header) == read:
            if len(self._envelopes) >= _MAX_ENVELOPES:
                self._envelopes.clear()
            self._envelopes[_digest(body[:begin], body[end:])] = in_header


def _digest(before: bytes, after: bytes) -> bytes:
    """Return the cache key of an envelope: a digest, so that no timing tells how much of a password was right."""
    return sha256(b"\0".join((before, after))).digest()


def _is_plain(before: bytes, after: bytes) -> bool:
    """Whether the place of the operation is in no comment, CDATA section or processing instruction."""
    start = _START.match(before)
    rest = before[start.end() if start else 0 :] + after
    return len(rest) <= _MAX_ENVELOPE_BYTES and b"<!" not in rest and b"<?" not in rest


def _operation_in(body: bytes) -> tuple[int, int]:
    """Return where the operation probably begins and ends, or -1.

    It is between the first tag that may be Body's and the last two tags, which are Body's and Envelope's.
    """
    begin = body.find(b"<", body.find(b"Body>"))
    if not body[begin + 1 : begin + 2].isalpha():
        return -1, -1
    return begin, body.rfind(b"</", begin, body.rfind(b"</"))


def _read_known(operation: Element, in_header: Credentials | None) -> Read | None:
    try:
        return _read_operation(operation, in_header)
    except _UNREAD:
        return None


def _read(root: Element) -> tuple[Read, Credentials | None]:
    """Return the contents, and the credentials of the header if it has them."""
    *head, content = root
    (operation,) = content  # ValueError: not one child
    if has_loose_text(root) or has_loose_text(content) or any(map(has_loose_text, head)):
        raise UnusualError
    if (root.tag, content.tag) != (_ENVELOPE, _BODY) or root.keys() or content.keys():
        raise UnusualError
    in_header = _read_header(head)
    return _read_operation(operation, in_header), in_header


def _read_header(parts: Sequence[Element]) -> Credentials | None:
    if not parts:
        return None
    (head,) = parts  # ValueError: not one header
    if head.tag != _HEADER or head.keys():
        raise UnusualError
    return header_login(head, SOAP_1_1) if len(head) else None


def _read_operation(operation: Element, in_header: Credentials | None) -> Read:
    """Read an operation; without credentials in the header they are in the operation."""
    kind, fields, login = usual_operation(operation, in_header)
    return kind, fields, login, SOAP if in_header else SOAP_NO_HEADER
