"""SOAP 1.1 and SOAP 1.2: what differs between their messages. Parsing and faults are elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from soap_handler.contract import SOAP_11, SOAP_12


@dataclass(frozen=True, slots=True)
class SoapVersion:
    """One version of SOAP."""

    namespace: str
    """The namespace of its envelope, by which a message says its version."""
    content_type: str
    """The Content-Type of its answers. Some stacks refuse ``application/xml``."""
    envelope: str
    header: str
    body: str
    fault: str
    """The tags of the elements that make a message."""
    must_understand: str
    role: str
    """The attributes of a header block: whether it must be understood, and who its receiver is."""
    our_roles: frozenset[str]
    """The receivers that mean us. A block without the attribute is for us too."""

    encoding_style: str
    """The attribute by which an element says that it is rpc/encoded."""


def _version(namespace: str, content_type: str, role: str, our_roles: frozenset[str]) -> SoapVersion:
    names = ("Envelope", "Header", "Body", "Fault", "mustUnderstand", role, "encodingStyle")
    envelope, header, body, fault, must_understand, role, style = (f"{{{namespace}}}{name}" for name in names)
    return SoapVersion(namespace, content_type, envelope, header, body, fault, must_understand, role, our_roles, style)


SOAP_1_1: Final = _version(
    SOAP_11, "text/xml; charset=utf-8", "actor", frozenset({"", "http://schemas.xmlsoap.org/soap/actor/next"})
)
SOAP_1_2: Final = _version(
    SOAP_12,
    "application/soap+xml; charset=utf-8",
    "role",
    frozenset({"", f"{SOAP_12}/role/next", f"{SOAP_12}/role/ultimateReceiver"}),
)
VERSIONS: Final = (SOAP_1_1, SOAP_1_2)

SOAP_12_TYPE: Final = "application/soap+xml"
"""The media type of SOAP 1.2. It decides the version of an answer only where no envelope says one."""
