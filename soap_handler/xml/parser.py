"""XML parsing: safe lxml parsers, which are made only here, repair of what they refuse, limits on the structure.

No parser expands an entity, reads a DTD or fetches anything. A document is parsed strictly first; one that the strict
parser refuses is repaired and parsed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from soap_handler.errors import DoctypeError, LimitExceededError, MalformedError
from soap_handler.xml.charsets import Decoded, contradicts, decode
from soap_handler.xml.repair import MARKUP, PREFIX, declare_prefixes, repair, without_declaration

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_SAFE: Final[dict[str, Any]] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "remove_comments": True,
    "remove_pis": True,
}
_UNPARSED: Final = (etree.XMLSyntaxError, ValueError, LookupError)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits, with room for everything that the contract needs."""

    depth: int = 32
    """Levels of elements; the contract needs six."""
    attributes: int = 256
    """Attributes of all elements together; the contract needs a few."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document, and the marks of its repairs."""

    root: Element
    escaped: bool = False
    """Whether its texts may hold escape sequences, which :func:`soap_handler.xml.repair.restore` turns back."""
    repaired: tuple[str, ...] = ()


def safe_parser() -> etree.XMLParser:
    """Return a new parser for whole documents. It is for one thread, since it locks itself while it parses."""
    return etree.XMLParser(**_SAFE)


def safe_pull_parser() -> etree.XMLPullParser:
    """Return a new parser for a document in pieces. Its events are the starts of elements."""
    return etree.XMLPullParser(events=("start",), **_SAFE)


def parse(document: bytes) -> Element:
    """Parse a document strictly and return its root.

    Each document gets a new parser. That costs a few microseconds, and threads share nothing.

    Raises:
        lxml.etree.XMLSyntaxError: the document is not well-formed.
        ValueError: lxml cannot read its text.
        LookupError: Python does not know its encoding.
    """
    return etree.fromstring(document, safe_parser())


def read_document(body: bytes, label: str | None = None, limits: Limits | None = None) -> Document:
    """Return the document in some bytes. ``label`` is the charset of their Content-Type, where it names one.

    Raises:
        DoctypeError: there is a document type declaration.
        MalformedError: the bytes are not XML, and cannot be repaired.
        LimitExceededError: its structure is beyond the limits, where some are given.
    """
    document = _parse_strictly(body, label) or _parse_repaired(body, label)
    if document.root.getroottree().docinfo.internalDTD is not None:
        raise DoctypeError
    if limits is not None:
        check_limits(document.root, limits)
    return document


def _parse_strictly(body: bytes, label: str | None) -> Document | None:
    """Return the document as it came, or ``None`` where it needs repair."""
    try:
        root = parse(body)
    except _UNPARSED:
        return None
    declared = root.getroottree().docinfo.encoding or "utf-8"
    agree = label is None or label.lower() == declared.lower()
    return Document(root) if agree or not contradicts(body, label, declared) else None


def _parse_repaired(body: bytes, label: str | None) -> Document:
    decoded = decode(body, label)
    try:
        return _parse_decoded(decoded) or _parse_text(decoded)
    except _UNPARSED as error:
        raise MalformedError from error


def _parse_decoded(decoded: Decoded) -> Document | None:
    """Return the document if only its encoding was wrong: not declared in the XML, declared wrongly, or damaged."""
    if decoded.codec == "utf-8" and not decoded.repaired:
        return None
    try:
        root = parse(without_declaration(decoded.text).encode())
    except (etree.XMLSyntaxError, ValueError):
        return None
    return Document(root, repaired=decoded.repaired)


def _parse_text(decoded: Decoded) -> Document:
    fixed = repair(decoded.text)
    repaired = (*decoded.repaired, *fixed.repaired)
    try:
        root = parse(fixed.text.encode())
    except etree.XMLSyntaxError as error:
        if error.code != etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE:  # type: ignore[attr-defined] # the stubs lack it
            raise
        root = parse(declare_prefixes(fixed.text).encode())
        repaired = (*repaired, PREFIX)
    return Document(root, escaped=True, repaired=repaired or (MARKUP,))


def check_limits(root: Element, limits: Limits) -> None:
    """Return if the structure of a document is within the limits.

    Raises:
        LimitExceededError: it is not.
    """
    level = attributes = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "end":
            level -= 1
            continue
        level += 1
        attributes += len(element.attrib)
        if level > limits.depth:
            raise LimitExceededError("The request is nested too deeply")
        if attributes > limits.attributes:
            raise LimitExceededError("The request has too many attributes")
