"""XML parsing: safe lxml parsers, which are made only here, repair of what they refuse, limits on the structure.

No parser expands an entity, reads a DTD or fetches anything. A document is parsed strictly first; one that the strict
parser refuses, or has an error to tell of, is repaired and parsed again.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from soap_handler.errors import DoctypeError, LimitExceededError, MalformedError
from soap_handler.xml.charsets import Decoded, contradicts, decode, holds_windows_characters
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
NAMESPACE_ERROR: Final = "namespace declaration"
"""Mark: a rule of XML namespaces, or of ``xml:id``, is broken in another way than by an undeclared prefix."""

_FORGET_AFTER_BYTES: Final = 65_536  # some fifty pushes; a new dictionary costs less than a push
_NAMES_OF_A_THREAD: Final = "_ParserDictionaryContext"  # lxml's key in the state of a thread, in versions before 7
_thread_state = ctypes.pythonapi.PyThreadState_GetDict
_thread_state.argtypes, _thread_state.restype = [], ctypes.c_void_p  # a borrowed reference


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


class _Parsed(threading.local):
    """How many bytes a thread has parsed since it last forgot the names in them, and how often it did."""

    size: int = 0
    times: int = 0


_parsed: Final = _Parsed()


def forget_names(size: int) -> int:
    """Count so many bytes as parsed in this thread; return how often their names were forgotten, perhaps just now.

    lxml interns what libxml2 finds in a thread's documents: names of elements, attributes and instructions, prefixes,
    namespaces, even white space between tags. It frees them with the thread (lxml 7: with the parser), so that a
    stranger could fill the memory. Here the thread drops them after every 64 KiB. A document holds the names that it
    needs by itself. A parser that is kept holds them too: replace it when the number changes.
    """
    _parsed.size += size
    if _parsed.size >= _FORGET_AFTER_BYTES:
        _parsed.size = 0
        _parsed.times += 1
        ctypes.cast(_thread_state(), ctypes.py_object).value.pop(_NAMES_OF_A_THREAD, None)
    return _parsed.times


def parse(document: bytes) -> Element:
    """Parse a document strictly and return its root.

    Each document gets a new parser. That costs a few microseconds, and threads share nothing.

    Raises:
        lxml.etree.XMLSyntaxError: the document is not well-formed, or breaks a rule of XML namespaces.
        ValueError: lxml cannot read its text.
        LookupError: Python does not know its encoding.
    """
    parser = safe_parser()
    root = _parse_by(parser, document)
    hidden = hidden_error(parser)
    if hidden is not None:
        raise etree.XMLSyntaxError(hidden.message, hidden.type, hidden.line, hidden.column)  # type: ignore[call-arg] # as in SyntaxError
    return root


def hidden_error(parser: etree.XMLParser) -> etree._LogEntry | None:
    """Return the first error of the document that a parser took last; ``None`` where there is none.

    lxml judges a document by the last message in its log alone. The contract's namespace is no absolute URI, so each
    declaration of it logs a warning, which hides an earlier error.
    """
    return next(iter(parser.error_log.filter_from_errors()), None)


def _parse_by(parser: etree.XMLParser, document: bytes) -> Element:
    try:
        return etree.fromstring(document, parser)
    finally:
        forget_names(len(document))


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
    agree = label is None or label.lower() == declared.lower() or not contradicts(body, label, declared)
    plain = declared.lower() == "utf-8" or not holds_windows_characters(body, declared)
    return Document(root) if agree and plain else None


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
    root, namespaces = _parse_with_namespaces(fixed.text)
    repaired = (*decoded.repaired, *fixed.repaired, *namespaces)
    return Document(root, escaped=True, repaired=repaired or (MARKUP,))


def _parse_with_namespaces(text: str) -> tuple[Element, tuple[str, ...]]:
    """Parse a text; return its root, and the marks of what was wrong with its namespaces.

    Raises:
        lxml.etree.XMLSyntaxError: it is not well-formed.
    """
    marks: tuple[str, ...] = ()
    root, errors = _root_and_errors(text)
    if etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE in errors:
        marks, text = (PREFIX,), declare_prefixes(text)
        root, errors = _root_and_errors(text)
    if errors:
        return _parse_by(etree.XMLParser(**_SAFE, recover=True), text.encode()), (*marks, NAMESPACE_ERROR)
    return root, marks


def _root_and_errors(text: str) -> tuple[Any, set[int]]:
    """Return the root of a text, and the types of its errors; with errors, the root may be ``None``.

    An error in the words of libxml2 is a broken rule of XML namespaces; one of XML itself it calls fatal.

    Raises:
        lxml.etree.XMLSyntaxError: it is not well-formed.
    """
    parser, root = safe_parser(), None
    try:
        root = _parse_by(parser, text.encode())
    except etree.XMLSyntaxError:
        if parser.error_log.filter_from_fatals() or not parser.error_log.filter_from_errors():
            raise
    return root, {error.type for error in parser.error_log.filter_from_errors()}


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
