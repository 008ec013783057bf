"""From the bytes of one message in the inbox to its texts by name. What they mean is read by ``reading``.

A strict parser has the first word. What it refuses is mended in the same way as a push is, and marked so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import quoteattr

from lxml import etree

from soap_handler.xml import MARKUP, PREFIX, ForbiddenError, declare_prefixes, decode, mend, restore

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES: Final = {
    "id": "id",
    "originator": "originator",
    "recipient": "recipient",
    "body": "body",
    "type": "type",
    "sentat": "sent_at",
    "receivedat": "received_at",
}
"""The elements of a ``message`` (contract, section 2) and the attributes they are read into; the others say nothing."""

_REPEATED: Final = "repeated element"
_ENCODING: Final = re.compile(rb"""\s*<\?xml[^<>]{0,128}?\sencoding\s*=\s*["']([\w.:-]{1,40})""")


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message as the inbox lists it: fit for :func:`soap_handler.receive.values.read_notification`."""

    fields: Mapping[str, str] = field(repr=False)
    """Texts by attribute name; absent means absent."""
    repaired: tuple[str, ...] = ()
    """What had to be mended before it could be read."""
    source: bytes | None = field(default=None, repr=False)
    """The element as it came, where something had to be mended."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message in the list that cannot be read; the reason holds nothing of it."""

    reason: str


class MessageReader:
    """Reads the messages of one answer, whose ``head`` says how they are encoded and declares their namespaces."""

    def __init__(self, head: bytes) -> None:
        encoding = _ENCODING.match(head)
        declaration = f'<?xml version="1.0" encoding="{encoding[1].decode()}"?>' if encoding else ""
        namespaces = "".join(
            f" {f'xmlns:{prefix}' if prefix else 'xmlns'}={quoteattr(name)}"
            for prefix, name in _namespaces(head).items()
        )
        self._before = f"{declaration}<list{namespaces}>".encode()

    def read(self, message: bytes | None) -> InboxMessage | Unreadable:
        """Return the texts of a message; ``None`` is one that was too large to be kept."""
        if message is None:
            return Unreadable("too large")
        document = self._before + message + b"</list>"
        try:
            return _told(etree.fromstring(document, _parser()), message)
        except (etree.XMLSyntaxError, ValueError, LookupError):
            return _read_mended(document, message)


def _parser() -> etree.XMLParser:
    # No entity is expanded and nothing is fetched. One for each: a parser keeps what it read until the next reading.
    return etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)


def _namespaces(head: bytes) -> dict[str | None, str]:
    """Return the prefixes that are declared where the list begins."""
    parser = etree.XMLPullParser(events=("start",), resolve_entities=False, no_network=True)
    found: dict[str | None, str] = {}
    try:
        parser.feed(head.lstrip())
        for _, element in parser.read_events():
            found = dict(element.nsmap)  # type: ignore[union-attr] # a start event has an element
    except etree.XMLSyntaxError:
        return {}  # the answer is not confirmed anyway; its messages are read as far as they go
    return found


def _read_mended(document: bytes, message: bytes) -> InboxMessage | Unreadable:
    decoded = decode(document)
    try:
        mended = mend(decoded.text)
        root, more = _parse_text(mended.text)
    except (etree.XMLSyntaxError, ForbiddenError, ValueError, LookupError):
        return Unreadable("not well-formed XML")
    repaired = (*decoded.repaired, *mended.repaired, *more) or (MARKUP,)
    return _told(root, message, repaired, mended=True)


def _parse_text(text: str) -> tuple[etree._Element, tuple[str, ...]]:
    try:
        return etree.fromstring(text.encode(), _parser()), ()
    except etree.XMLSyntaxError as error:
        if error.code != etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE:  # type: ignore[attr-defined] # the stubs lack it
            raise
        return etree.fromstring(declare_prefixes(text).encode(), _parser()), (PREFIX,)


def _told(
    root: etree._Element, message: bytes, repaired: tuple[str, ...] = (), *, mended: bool = False
) -> InboxMessage | Unreadable:
    fields: dict[str, str] = {}
    for child in root[0]:
        name = _NAMES.get(str(child.tag).rpartition("}")[2])
        if name is None:
            continue
        if name not in fields:
            text = "".join(map(str, child.itertext()))
            fields[name] = restore(text) if mended else text
        elif _REPEATED not in repaired:
            repaired = (*repaired, _REPEATED)  # the first counts, as in a push
    if not fields:
        return Unreadable("empty")
    return InboxMessage(fields, repaired, message if repaired else None)
