"""SOAP messages that we send: the constant responses, and faults. For the choice of a fault, see endpoint.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape, quoteattr

from lxml.etree import XMLSyntaxError
from spyne.model.fault import Fault

from soap_handler.contract import NAMESPACE, SOAP_11
from soap_handler.faces.soap.versions import SOAP_1_1, SoapVersion
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CLIENT: Final = "Client"
"""The caller is to blame; the same request will fail again."""
SERVER: Final = "Server"
"""We are to blame; the same request may succeed later, and EMS pushes it again."""
VERSION_MISMATCH: Final = "VersionMismatch"
MUST_UNDERSTAND: Final = "MustUnderstand"

_CODES_12: Final = {CLIENT: "Sender", SERVER: "Receiver"}
"""Codes that SOAP 1.2 calls otherwise."""
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_MAX_BLOCKS: Final = 8  # header blocks that a fault names; their names are the caller's text
_MAX_BLOCK_NAME: Final = 256  # characters, with the namespace
_MAX_TEXT: Final = 110  # characters of a fault that names header blocks

_UPGRADE: Final = (
    '<soap:Upgrade><soap:SupportedEnvelope qname="soap:Envelope"/>'
    f'<soap:SupportedEnvelope qname="old:Envelope" xmlns:old="{SOAP_11}"/></soap:Upgrade>'
)


class MustUnderstandFault(Fault):
    """Refuses header blocks that must be understood and are not known here. ``blocks`` are their tags."""

    def __init__(self, blocks: Sequence[str]) -> None:
        names = ", ".join(block.rpartition("}")[2] for block in blocks)
        text = f"A header block that must be understood is not known here: {names}"
        super().__init__(MUST_UNDERSTAND, text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…")
        self.blocks = tuple(blocks)


def client_fault(text: str) -> Fault:
    """Return a fault that blames the caller. EMS e-mails its text to people, so it is short and not personal."""
    return Fault(CLIENT, text)


def server_fault(text: str) -> Fault:
    """Return a fault that asks the caller to send the request again."""
    return Fault(SERVER, text)


def fault_envelope(fault: Fault, version: SoapVersion = SOAP_1_1) -> bytes:
    """Return the message of a fault. Its HTTP status is 500 in both versions (SOAP 1.1, section 6.2).

    The HTTP binding of SOAP 1.2 (part 2, 7.5.2) has 400 for Sender; but every client reads a fault under 500, some
    (older SAAJ and Spring-WS) read none under 400, and EMS takes both for "not stored".
    """
    if version is SOAP_1_1:
        code, text = escape(fault.faultcode), escape(fault.faultstring)
        inner = f"<soap:Fault><faultcode>soap:{code}</faultcode><faultstring>{text}</faultstring></soap:Fault>"
        return _envelope(version, inner)
    return _envelope(version, _fault_12(fault), _fault_header(fault))


def _fault_12(fault: Fault) -> str:
    code, text = escape(_CODES_12.get(fault.faultcode, fault.faultcode)), escape(fault.faultstring)
    return (
        f"<soap:Fault><soap:Code><soap:Value>soap:{code}</soap:Value></soap:Code>"
        f'<soap:Reason><soap:Text xml:lang="en">{text}</soap:Text></soap:Reason></soap:Fault>'
    )


def _fault_header(fault: Fault) -> str:
    """Return the header blocks that explain a fault in SOAP 1.2 (part 1, sections 5.4.7 and 5.4.8)."""
    if fault.faultcode == VERSION_MISMATCH:
        return _UPGRADE
    return _not_understood(fault.blocks) if isinstance(fault, MustUnderstandFault) else ""


def _not_understood(blocks: Iterable[str]) -> str:
    names = [_qname(block) for block in blocks if len(block) <= _MAX_BLOCK_NAME]
    return "".join(f"<soap:NotUnderstood {name}/>" for name in names[:_MAX_BLOCKS] if _is_readable(name))


def _is_readable(attributes: str) -> bool:
    """Whether a strict parser takes these attributes. libxml2 takes no namespace that is not shaped as a URI."""
    try:
        parse(f"<a {attributes}/>".encode())
    except XMLSyntaxError:
        return False
    return True


def _qname(tag: str) -> str:
    """Return the attribute that names a tag, with the declaration of its prefix."""
    namespace, _, local = tag.removeprefix("{").rpartition("}")
    if namespace in {"", _XML}:  # neither can be declared with another prefix
        return f"qname={quoteattr(f'xml:{local}' if namespace else local)}"
    return f"qname={quoteattr(f'block:{local}')} xmlns:block={quoteattr(namespace)}"


def response_envelope(operation: str, version: SoapVersion = SOAP_1_1) -> bytes:
    """Return the message that confirms an operation: its empty response element (contract, section 1)."""
    return _envelope(version, f'<{operation}Response xmlns="{NAMESPACE}"/>')


def _envelope(version: SoapVersion, body: str, header: str = "") -> bytes:
    head = f"<soap:Header>{header}</soap:Header>" if header else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<soap:Envelope xmlns:soap="{version.namespace}">{head}<soap:Body>{body}</soap:Body></soap:Envelope>'
    ).encode()
