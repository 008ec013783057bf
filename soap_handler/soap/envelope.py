"""From bytes to the header and the operation of a SOAP 1.1 envelope. It knows SOAP's rules, not our operations.

Whatever is wrong with the bytes becomes a fault; nothing else is raised.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lxml import etree
from spyne.model.fault import Fault

from soap_handler.contract import NAMESPACE, SOAP_11
from soap_handler.soap.faults import MUST_UNDERSTAND, VERSION_MISMATCH, client_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

_NEXT: Final = "http://schemas.xmlsoap.org/soap/actor/next"
_DEEPEST: Final = 32  # levels of elements; the contract needs five

_parsers = threading.local()  # a parser locks itself while it works, so each thread has its own


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parts of a SOAP message that matter to us."""

    header: tuple[Element, ...]
    operation: Element


def read_envelope(body: bytes) -> Envelope:
    """Return the envelope in a request's body.

    Raises:
        Fault: the bytes are not XML, or not a SOAP 1.1 message with one operation that we could look at.
    """
    root = _parse(body)
    _check_version(root)
    header, content = _parts(root)
    _check_understood(header)
    operations = [element for element in content if _is_element(element)]
    if not operations:
        raise client_fault("The Body of the envelope is empty")
    if operations[0].tag == f"{{{SOAP_11}}}Fault":
        raise client_fault("The Body of the envelope holds a Fault; expected an operation")
    return Envelope(header, operations[0])


def _parser() -> etree.XMLParser:
    parser: etree.XMLParser | None = getattr(_parsers, "strict", None)
    if parser is None:
        parser = _parsers.strict = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
        )
    return parser


def _parse(body: bytes) -> Element:
    if not body.strip():
        raise client_fault("The request is empty; expected a SOAP envelope")
    try:
        root = etree.fromstring(body, _parser())
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise client_fault("The request is not well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise client_fault("The request has a document type declaration, which SOAP forbids")
    if _deeper_than(root, _DEEPEST):
        raise client_fault("The request is nested too deeply")
    return root


def _deeper_than(root: Element, limit: int) -> bool:
    level = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        level += 1 if event == "start" else -1
        if level > limit:
            return True
    return False


def _check_version(root: Element) -> None:
    name = etree.QName(root)
    if name.localname != "Envelope":
        raise client_fault("The request is not a SOAP envelope")
    if name.namespace != SOAP_11:
        raise Fault(VERSION_MISMATCH, "Only SOAP 1.1 is understood here")


def _parts(root: Element) -> tuple[tuple[Element, ...], Element]:
    header = root.find(f"{{{SOAP_11}}}Header")
    content = root.find(f"{{{SOAP_11}}}Body")
    if content is None:
        raise client_fault("The envelope has no Body")
    return tuple(_elements(header)) if header is not None else (), content


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
