"""Parsing of a document: strictly first; a document that the strict parser refuses is repaired and parsed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml import etree

from soap_handler.errors import DoctypeError, MalformedError
from soap_handler.xml.charsets import Decoded, contradicts, decode
from soap_handler.xml.parser import parse
from soap_handler.xml.repair import MARKUP, PREFIX, declare_prefixes, repair, without_declaration

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_UNPARSED = (etree.XMLSyntaxError, ValueError, LookupError)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document, and the marks of its repairs."""

    root: Element
    escaped: bool = False
    """Whether its texts may hold escape sequences, which :func:`soap_handler.xml.repair.restore` turns back."""
    repaired: tuple[str, ...] = ()


def read_document(body: bytes, label: str | None = None) -> Document:
    """Return the document in some bytes. ``label`` is the charset of their Content-Type, where it names one.

    Raises:
        DoctypeError: there is a document type declaration.
        MalformedError: the bytes are not XML, and cannot be repaired.
    """
    document = _parse_strictly(body, label) or _parse_repaired(body, label)
    if document.root.getroottree().docinfo.internalDTD is not None:
        raise DoctypeError
    return document


def _parse_strictly(body: bytes, label: str | None) -> Document | None:
    """Return the document as it came, or ``None`` where it needs repair."""
    try:
        root = parse(body)
    except _UNPARSED:
        return None
    declared = root.getroottree().docinfo.encoding
    return None if contradicts(body, label, declared) else Document(root)


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
