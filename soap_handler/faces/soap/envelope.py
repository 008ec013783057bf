"""Parsing of a SOAP 1.1 envelope: from a request's bytes to its header and its operation. It knows no parameters.

The strict parser reads nearly all requests. A request that it refuses is repaired and read again. A request that cannot
be repaired becomes a fault; nothing else is raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spyne.model.fault import Fault

from soap_handler.contract import MESSENGER_HEADER, NAMESPACE, SOAP_11
from soap_handler.errors import DoctypeError, LimitExceededError, MalformedError
from soap_handler.faces.soap.faults import MUST_UNDERSTAND, VERSION_MISMATCH, client_fault
from soap_handler.xml.parser import Document, Limits, read_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

_NEXT: Final = "http://schemas.xmlsoap.org/soap/actor/next"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parts of a SOAP message that the service needs."""

    header: tuple[Element, ...]
    operation: Element
    operation_name: str
    """Its name, in whatever namespace."""
    others: tuple[Element, ...] = ()
    """Further elements of the Body. A message of document style has none."""
    escaped: bool = False
    """Whether its texts may hold escape sequences, which :func:`soap_handler.xml.repair.restore` turns back."""
    repaired: tuple[str, ...] = ()
    """Marks of what was repaired in it."""


def read_envelope(body: bytes, label: str | None = None, limits: Limits = Limits()) -> Envelope:  # noqa: B008 - frozen
    """Return the envelope in a request's body. ``label`` is the charset of its Content-Type, where it names one.

    Raises:
        Fault: the bytes are not XML, or not a SOAP 1.1 message with an operation.
    """
    document = _read(body, label, limits)
    _check_version(document.root)
    header, content = _parts(document.root)
    _check_understood(header)
    operations = tuple(_elements(content))
    if not operations:
        raise client_fault("The Body of the envelope is empty")
    if operations[0].tag == f"{{{SOAP_11}}}Fault":
        raise client_fault("The Body of the envelope holds a Fault; expected an operation")
    name = local_name(operations[0])
    return Envelope(header, operations[0], name, operations[1:], document.escaped, document.repaired)


def _read(body: bytes, label: str | None, limits: Limits) -> Document:
    if not body.strip():
        raise client_fault("The request is empty; expected a SOAP envelope")
    try:
        return read_document(body, label, limits)
    except DoctypeError as error:
        raise client_fault("The request has a document type declaration, which SOAP forbids") from error
    except MalformedError as error:
        raise client_fault("The request is not well-formed XML") from error
    except LimitExceededError as error:
        raise client_fault(str(error)) from error


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
    """Return an element's name without its namespace. lxml's ``QName`` refuses some namespaces, so it is not used."""
    return str(element.tag).rpartition("}")[2]


def _elements(parent: Element) -> Iterator[Element]:
    return (child for child in parent if isinstance(child.tag, str))  # an unresolved entity's tag is a function


def _check_understood(header: tuple[Element, ...]) -> None:
    """Refuse a header block that must be understood and is not ours (SOAP 1.1, section 4.2.3)."""
    for block in header:
        must = block.get(f"{{{SOAP_11}}}mustUnderstand", "").strip() in {"1", "true"}
        for_us = block.get(f"{{{SOAP_11}}}actor", "").strip() in {"", _NEXT}
        if must and for_us and block.tag != f"{{{NAMESPACE}}}{MESSENGER_HEADER}":
            raise Fault(MUST_UNDERSTAND, "A header block that must be understood is not known here")
