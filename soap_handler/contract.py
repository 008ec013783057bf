"""The wire contract's names and files. No behaviour: what is read or sent with them lives elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

NAMESPACE: Final = "com.esendex.ems.soapinterface"
"""Target namespace, schema namespace and SOAPAction prefix of both services (contract, section 1)."""

SOAP_11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12: Final = "http://www.w3.org/2003/05/soap-envelope"

ZERO_ID: Final = "00000000-0000-0000-0000-000000000000"
"""The all-zero GUID: a real value on the wire that means "none" (contract, section 4)."""


def soap_action(operation: str) -> str:
    """Return the SOAPAction of an operation, without the quotes that it wears in the header."""
    return f"{NAMESPACE}/{operation}"


def wsdl_path(service: Literal["AccountEventHandler", "InboxService"]) -> Path:
    """Return the path of a bundled WSDL: inside the package when installed, beside it in a source tree."""
    package = Path(__file__).parent
    inside = package / "wsdl" / f"{service}.wsdl"
    return inside if inside.exists() else package.parent / "wsdl" / f"{service}.wsdl"
