"""Parsing of a SOAP envelope: from a request's bytes to its header and its operation. It knows no parameters.

The strict parser reads nearly all requests. A request that it refuses is repaired and read again. A request that cannot
be repaired becomes a fault; nothing else is raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spyne.model.fault import Fault

from soap_handler.contract import MESSENGER_HEADER, NAMESPACE
from soap_handler.errors import DoctypeError, LimitExceededError, MalformedError
from soap_handler.faces.not_xml import what_came
from soap_handler.faces.soap.faults import VERSION_MISMATCH, MustUnderstandFault, client_fault
from soap_handler.faces.soap.versions import VERSIONS, SoapVersion
from soap_handler.xml.charsets import charset_of
from soap_handler.xml.parser import Document, Limits, read_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

    from soap_handler.faces.soap.service import Call


_OUR_BLOCK: Final = f"{{{NAMESPACE}}}{MESSENGER_HEADER}".lower()


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parts of a SOAP message that the service needs."""

    header: tuple[Element, ...]
    operation: Element
    operation_name: str
    """Its name, in whatever namespace."""
    root: Element
    """The whole envelope."""
    others: tuple[Element, ...] = ()
    """Further elements of the Body: operations, values to which others refer, or anything."""
    escaped: bool = False
    """Whether its texts may hold escape sequences, which :func:`soap_handler.xml.repair.restore` turns back."""
    repaired: tuple[str, ...] = ()
    """Marks of what was repaired in it."""


def read_envelope(body: bytes, call: Call, limits: Limits = Limits()) -> Envelope:  # noqa: B008 - frozen
    """Return the envelope in a request's body. Its version and whether it has our header are noted in ``call`` at once.

    Raises:
        Fault: the bytes are not XML, or not a SOAP message with an operation.
    """
    document = _read(body, call.content_type, limits)
    call.version = version = _version(document.root)
    header, content = _parts(document.root, version)
    call.has_header = any(local_name(block).lower() == MESSENGER_HEADER.lower() for block in header)
    _check_understood(header, version)
    operations = tuple(_elements(content))
    if not operations:
        raise client_fault("The Body of the envelope is empty")
    if operations[0].tag == version.fault:
        raise client_fault("The Body of the envelope holds a Fault; expected an operation")
    name = local_name(operations[0])
    root, others = document.root, operations[1:]
    return Envelope(header, operations[0], name, root, others, document.escaped, document.repaired)


def _read(body: bytes, content_type: str, limits: Limits) -> Document:
    if not body.strip():
        raise client_fault("The request is empty; expected a SOAP envelope")
    try:
        return read_document(body, charset_of(content_type), limits)
    except (DoctypeError, MalformedError) as error:
        raise client_fault(_unread(error, body, content_type)) from error
    except LimitExceededError as error:
        raise client_fault(str(error)) from error


def _unread(error: DoctypeError | MalformedError, body: bytes, content_type: str) -> str:
    came = what_came(body, content_type)
    if came is not None:
        return f"The request is {came}; expected a SOAP envelope"
    if isinstance(error, DoctypeError):
        return "The request has a document type declaration, which SOAP forbids"
    return "The request is not well-formed XML"


def _version(root: Element) -> SoapVersion:
    if local_name(root) != "Envelope":
        raise client_fault("The request is not a SOAP envelope")
    version = next((each for each in VERSIONS if root.tag == each.envelope), None)
    if version is None:
        raise Fault(VERSION_MISMATCH, "Only SOAP 1.1 and SOAP 1.2 are understood here")
    return version


def _parts(root: Element, version: SoapVersion) -> tuple[tuple[Element, ...], Element]:
    header = root.find(version.header)
    bodies = root.findall(version.body)
    if not bodies:
        raise client_fault("The envelope has no Body")
    if len(bodies) > 1:
        raise client_fault("The envelope has more than one Body")
    return tuple(_elements(header)) if header is not None else (), bodies[0]


def local_name(element: Element) -> str:
    """Return an element's name without its namespace. lxml's ``QName`` refuses some namespaces, so it is not used."""
    return str(element.tag).rpartition("}")[2]


def _elements(parent: Element) -> Iterator[Element]:
    return (child for child in parent if isinstance(child.tag, str))  # an unresolved entity's tag is a function


def _check_understood(header: tuple[Element, ...], version: SoapVersion) -> None:
    """Refuse header blocks that must be understood and are not ours (SOAP 1.1, 4.2.3; SOAP 1.2, part 1, 5.2.3)."""
    unknown = [
        str(block.tag)
        for block in header
        if block.get(version.must_understand, "").strip() in {"1", "true"}
        and block.get(version.role, "").strip() in version.our_roles
        and str(block.tag).lower() != _OUR_BLOCK
    ]
    if unknown:
        raise MustUnderstandFault(unknown)
