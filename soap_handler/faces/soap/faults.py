"""SOAP messages that we send: the constant responses, and faults. Which fault is sent is decided elsewhere."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from spyne.model.fault import Fault

from soap_handler.contract import NAMESPACE, SOAP_11

CLIENT: Final = "Client"
"""The caller is to blame; the same request will fail again."""
SERVER: Final = "Server"
"""We are to blame; the same request may succeed later, and EMS pushes it again."""
VERSION_MISMATCH: Final = "VersionMismatch"
MUST_UNDERSTAND: Final = "MustUnderstand"

_ENVELOPE: Final = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    f'<soap:Envelope xmlns:soap="{SOAP_11}"><soap:Body>{{}}</soap:Body></soap:Envelope>'
)


def client_fault(text: str) -> Fault:
    """Return a fault that blames the caller. EMS e-mails its text to people, so it is short and not personal."""
    return Fault(CLIENT, text)


def server_fault(text: str) -> Fault:
    """Return a fault that asks the caller to send the request again."""
    return Fault(SERVER, text)


def fault_envelope(fault: Fault) -> bytes:
    """Return the SOAP 1.1 message of a fault; its HTTP status is always 500 (SOAP 1.1, section 6.2)."""
    code, text = escape(fault.faultcode), escape(fault.faultstring)
    inner = f"<soap:Fault><faultcode>soap:{code}</faultcode><faultstring>{text}</faultstring></soap:Fault>"
    return _ENVELOPE.format(inner).encode()


def response_envelope(operation: str) -> bytes:
    """Return the message that confirms an operation: its empty response element (contract, section 1)."""
    return _ENVELOPE.format(f'<{operation}Response xmlns="{NAMESPACE}"/>').encode()
