"""SOAP 1.1 and SOAP 1.2: what differs between their messages. Parsing and faults are elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from soap_handler.contract import SOAP_11, SOAP_12
from soap_handler.faces import origin


@dataclass(frozen=True, slots=True)
class SoapVersion:
    """One version of SOAP. Tags and attributes are in lxml's notation."""

    api: str
    """Its name as a version of the API."""
    namespace: str
    """The namespace of its envelope, by which a message says its version."""
    media_type: str
    """The media type of its messages. Some stacks refuse ``application/xml``."""
    role: str
    """The attribute that names the receiver of a header block."""
    our_roles: frozenset[str]
    """The receivers that mean us. A block without the attribute is for us too."""
    envelope: str
    header: str
    body: str
    fault: str
    must_understand: str
    encoding_style: str

    @property
    def content_type(self) -> str:
        """The Content-Type of its answers."""
        return f"{self.media_type}; charset=utf-8"


def _version(api: str, namespace: str, media_type: str, role: str, our_roles: frozenset[str]) -> SoapVersion:
    names = ("Envelope", "Header", "Body", "Fault", "mustUnderstand", "encodingStyle")
    in_namespace = (f"{{{namespace}}}{name}" for name in names)
    return SoapVersion(api, namespace, media_type, f"{{{namespace}}}{role}", our_roles, *in_namespace)


_NEXT_ACTOR: Final = "http://schemas.xmlsoap.org/soap/actor/next"
SOAP_1_1: Final = _version(origin.SOAP, SOAP_11, "text/xml", "actor", frozenset({"", _NEXT_ACTOR}))
SOAP_1_2: Final = _version(
    origin.SOAP_12,
    SOAP_12,
    "application/soap+xml",
    "role",
    frozenset({"", f"{SOAP_12}/role/next", f"{SOAP_12}/role/ultimateReceiver"}),
)
VERSIONS: Final = (SOAP_1_1, SOAP_1_2)
