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
    role: str
    """The attribute that names the receiver of a header block."""
    our_roles: frozenset[str]
    """The receivers that mean us. A block without the attribute is for us too."""

    def name(self, local: str) -> str:
        """Return the tag of an element, or the name of an attribute, of this version."""
        return f"{{{self.namespace}}}{local}"


SOAP_1_1: Final = SoapVersion(
    SOAP_11,
    "text/xml; charset=utf-8",
    "actor",
    frozenset({"", "http://schemas.xmlsoap.org/soap/actor/next"}),
)
SOAP_1_2: Final = SoapVersion(
    SOAP_12,
    "application/soap+xml; charset=utf-8",
    "role",
    frozenset({"", f"{SOAP_12}/role/next", f"{SOAP_12}/role/ultimateReceiver"}),
)
VERSIONS: Final = (SOAP_1_1, SOAP_1_2)

_SOAP_12_TYPE: Final = "application/soap+xml"


def version_by_content_type(content_type: str) -> SoapVersion:
    """Return the version that a Content-Type announces. It counts only where the envelope does not say one.

    MTOM announces it in a parameter: ``application/xop+xml; type="application/soap+xml"``.
    """
    return SOAP_1_2 if _SOAP_12_TYPE in content_type.lower() else SOAP_1_1
