"""From bytes to the header and the operation of a SOAP 1.1 envelope. It knows SOAP's rules, not our operations.

A strict parser has the first word, and for nearly all requests the last. What it refuses is mended and read again.
What cannot be mended becomes a fault; nothing else is raised.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lxml import etree
from spyne.model.fault import Fault

from soap_handler.contract import NAMESPACE, SOAP_11
from soap_handler.faces.soap.faults import MUST_UNDERSTAND, VERSION_MISMATCH, client_fault
from soap_handler.xml.charsets import Decoded, contradicts, decode
from soap_handler.xml.limits import Shape, check_shape
from soap_handler.xml.repair import MARKUP, PREFIX, ForbiddenError, declare_prefixes, mend, without_declaration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

_NEXT: Final = "http://schemas.xmlsoap.org/soap/actor/next"
_DOCTYPE: Final = "The request has a document type declaration, which SOAP forbids"

_parsers = threading.local()  # a parser locks itself while it works, so each thread has its own


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parts of a SOAP message that matter to us."""

    header: tuple[Element, ...]
    operation: Element
    others: tuple[Element, ...] = ()
    """What else is in the Body. A message of document style has nothing there."""
    mended: bool = False
    """Whether the text was changed for the parser: then what is read from it has to be restored."""
    repaired: tuple[str, ...] = ()
    """What was mended in it."""


def read_envelope(body: bytes, label: str | None = None, shape: Shape = Shape()) -> Envelope:  # noqa: B008 - frozen
    """Return the envelope in a request's body; ``label`` is the charset of its Content-Type, if it says one.

    Raises:
        Fault: the bytes are not XML, or not a SOAP 1.1 message with one operation that we could look at.
    """
    document = _parse(body, label)
    check_shape(document.root, shape)
    root = document.root
    _check_version(root)
    header, content = _parts(root)
    _check_understood(header)
    operations = [element for element in content if _is_element(element)]
    if not operations:
        raise client_fault("The Body of the envelope is empty")
    if operations[0].tag == f"{{{SOAP_11}}}Fault":
        raise client_fault("The Body of the envelope holds a Fault; expected an operation")
    return Envelope(header, operations[0], tuple(operations[1:]), document.mended, document.repaired)


def _parser() -> etree.XMLParser:
    parser: etree.XMLParser | None = getattr(_parsers, "strict", None)
    if parser is None:
        parser = _parsers.strict = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
        )
    return parser


@dataclass(frozen=True, slots=True)
class _Document:
    root: Element
    mended: bool = False
    repaired: tuple[str, ...] = ()


def _parse(body: bytes, label: str | None) -> _Document:
    if not body.strip():
        raise client_fault("The request is empty; expected a SOAP envelope")
    document = _parse_strictly(body, label) or _parse_mended(body, label)
    if document.root.getroottree().docinfo.internalDTD is not None:
        raise client_fault(_DOCTYPE)
    return document


def _parse_strictly(body: bytes, label: str | None) -> _Document | None:
    """Return the document as it came, or ``None`` where it has to be mended."""
    try:
        root = etree.fromstring(body, _parser())
    except (etree.XMLSyntaxError, ValueError, LookupError):
        return None
    declared = root.getroottree().docinfo.encoding
    return None if contradicts(body, label, declared) else _Document(root)


def _parse_mended(body: bytes, label: str | None) -> _Document:
    decoded = decode(body, label)
    try:
        return _parse_decoded(decoded) or _parse_text(decoded)
    except ForbiddenError as error:
        raise client_fault(_DOCTYPE) from error
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise client_fault("The request is not well-formed XML") from error


def _parse_decoded(decoded: Decoded) -> _Document | None:
    """Return the document if only its encoding was in the way: not labelled in the XML, wrongly so, or damaged."""
    if decoded.codec == "utf-8" and not decoded.repaired:
        return None
    try:
        root = etree.fromstring(without_declaration(decoded.text).encode(), _parser())
    except (etree.XMLSyntaxError, ValueError):
        return None
    return _Document(root, repaired=decoded.repaired)


def _parse_text(decoded: Decoded) -> _Document:
    mended = mend(decoded.text)
    repaired = (*decoded.repaired, *mended.repaired)
    try:
        root = etree.fromstring(mended.text.encode(), _parser())
    except etree.XMLSyntaxError as error:
        if error.code != etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE:  # type: ignore[attr-defined] # the stubs lack it
            raise
        root = etree.fromstring(declare_prefixes(mended.text).encode(), _parser())
        repaired = (*repaired, PREFIX)
    return _Document(root, mended=True, repaired=repaired or (MARKUP,))


def _check_version(root: Element) -> None:
    if local_name(root) != "Envelope":
        raise client_fault("The request is not a SOAP envelope")
    if root.tag != f"{{{SOAP_11}}}Envelope":
        raise Fault(VERSION_MISMATCH, "Only SOAP 1.1 is understood here")


def _parts(root: Element) -> tuple[tuple[Element, ...], Element]:
    header = root.find(f"{{{SOAP_11}}}Header")
    content = root.find(f"{{{SOAP_11}}}Body")
    if content is None:
        raise client_fault("The envelope has no Body")
    return tuple(_elements(header)) if header is not None else (), content


def local_name(element: Element) -> str:
    """Return an element's name without its namespace. Not by lxml's ``QName``, which minds what is in a namespace."""
    return str(element.tag).rpartition("}")[2]


def _elements(parent: Element) -> Iterator[Element]:
    return (child for child in parent if _is_element(child))


def _is_element(node: Element) -> bool:
    return isinstance(node.tag, str)  # an unresolved entity has a function for a tag


def _check_understood(header: tuple[Element, ...]) -> None:
    """Refuse a header block that must be understood and is not ours (SOAP 1.1, section 4.2.3)."""
    for block in header:
        must = block.get(f"{{{SOAP_11}}}mustUnderstand", "").strip() in {"1", "true"}
        for_us = block.get(f"{{{SOAP_11}}}actor", "").strip() in {"", _NEXT}
        if must and for_us and block.tag != f"{{{NAMESPACE}}}MessengerHeader":
            raise Fault(MUST_UNDERSTAND, "A header block that must be understood is not known here")
