"""Reader of one message of the inbox: its bytes to texts by attribute. Conversion is in ``receive.receiver``.

The strict parser has the first word. A message that it refuses is repaired as a push is, and marked so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import quoteattr

from lxml import etree

from soap_handler.contract import INBOX_MESSAGE
from soap_handler.errors import DoctypeError, MalformedError
from soap_handler.xml.parser import Document, forget_names, read_document, safe_pull_parser
from soap_handler.xml.repair import restore

if TYPE_CHECKING:
    from collections.abc import Mapping

_ATTRIBUTES: Final = {each.name.lower(): each.attribute for each in INBOX_MESSAGE}
"""By name in small letters: the letter case does not count. What nothing reads has an empty one."""
_REPEATED: Final = "repeated element"
UNKNOWN: Final = "unknown element"
"""Mark: an element that is not known, beside a value that is absent."""
_ENCODING: Final = re.compile(rb"""\s*<\?xml[^<>]{0,128}?\sencoding\s*=\s*["']([\w.:-]{1,40})""")


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message of the inbox, for :func:`soap_handler.receive.receiver.read_notification`."""

    fields: Mapping[str, str] = field(repr=False)
    """Texts by attribute name; absent means absent."""
    source: bytes = field(repr=False)
    """The element as it came."""
    repaired: tuple[str, ...] = ()
    """Marks of what was repaired in it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message in the list that cannot be read. The reason quotes nothing of it."""

    reason: str


class MessageReader:
    """Reader of the messages in one answer. Its ``head`` declares their encoding and their namespaces."""

    def __init__(self, head: bytes) -> None:
        encoding = _ENCODING.match(head)
        declaration = f'<?xml version="1.0" encoding="{encoding[1].decode()}"?>' if encoding else ""
        namespaces = "".join(
            f" {f'xmlns:{prefix}' if prefix else 'xmlns'}={quoteattr(name)}"
            for prefix, name in _namespaces(head).items()
        )
        self._before = f"{declaration}<list{namespaces}>".encode()

    def read(self, message: bytes | None) -> InboxMessage | Unreadable:
        """Return the texts of a message. ``None`` stands for a message that was too large to be kept."""
        if message is None:
            return Unreadable("too large")
        try:
            document = read_document(self._before + message + b"</list>")
        except (DoctypeError, MalformedError):
            return Unreadable("not well-formed XML")
        return _message(document, message)


def _namespaces(head: bytes) -> dict[str | None, str]:
    """Return the prefixes that are declared where the list begins."""
    forget_names(len(head))
    parser = safe_pull_parser()
    found: dict[str | None, str] = {}
    try:
        parser.feed(head.lstrip())
        for _, element in parser.read_events():
            found = dict(element.nsmap)  # type: ignore[union-attr] # a start event has an element
    except etree.XMLSyntaxError:
        return {}  # such an answer confirms nothing; its messages are read as far as possible
    return found


def _message(document: Document, source: bytes) -> InboxMessage | Unreadable:
    fields: dict[str, str] = {}
    marks = dict.fromkeys(document.repaired)
    unknown = False
    for child in document.root[0]:
        attribute = _ATTRIBUTES.get(str(child.tag).rpartition("}")[2].lower())
        text = "".join(map(str, child.itertext()))
        if attribute is None:
            unknown = unknown or bool(text.strip())
        elif attribute and attribute not in fields:
            fields[attribute] = restore(text) if document.escaped else text
        elif attribute:
            marks[_REPEATED] = None  # the first counts, as in a push
    if not fields:
        return Unreadable("empty")
    if unknown and not all(fields.get(name, "").strip() for name in _ATTRIBUTES.values() if name):
        marks[UNKNOWN] = None  # it may be what the absent value was to say, as in a push
    return InboxMessage(fields, source, tuple(marks))
