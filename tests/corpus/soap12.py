"""The same calls in SOAP 1.2, under either Content-Type, and SOAP 1.1 under that of SOAP 1.2."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from soap_handler.contract import NAMESPACE, SOAP_11, SOAP_12
from soap_handler.notifications import Kind
from tests.corpus.messages import XSI, Message, element, message, repaired_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOAP_12_TYPE: Final = 'application/soap+xml; charset=utf-8; action="x"'
_ENC: Final = "http://www.w3.org/2003/05/soap-encoding"


def in_soap_12(told: Message, content_type: str = SOAP_12_TYPE) -> Message:
    before = told.transform
    return replace(
        told,
        transform=lambda body: before(body).replace(SOAP_11.encode(), SOAP_12.encode()),
        content_type=content_type,
    )


def _header_with(told: Message, attributes: bytes) -> Message:
    return in_soap_12(replace(told, header=told.header.replace(b"<MessengerHeader", b"<MessengerHeader " + attributes)))


def _rpc(told: Message) -> Message:
    """Return the call as PHP's SoapClient writes it without a WSDL, in SOAP 1.2."""
    operation = ("m:", f'xmlns:m="{NAMESPACE}" soap:encodingStyle="{_ENC}"')
    parts = {name: element(name, told.written(name), f'{XSI} xsi:type="xsd:string"') for name in told.parts}
    return in_soap_12(replace(repaired_as(told, "encoded call"), operation=operation, parts=parts))


def _by_reference(mark: str) -> Callable[[Message], Message]:
    def change(told: Message) -> Message:
        enc = f'xmlns:enc="{_ENC}"'
        parts = {name: f'<{name} {enc} enc:ref="{mark}{name}-1"/>'.encode() for name in told.parts}
        after = b"".join(element("r", told.written(name), f'{enc} enc:id="{name}-1"') for name in told.parts)
        return replace(_rpc(told), parts=parts, after=after)

    return change


_ROUTE: Final = b'<x:Route xmlns:x="urn:route" soap:mustUnderstand="true" soap:role="urn:another"/>'
SOAP12: Final[dict[str, Callable[[Message], Message]]] = {
    "SOAP 1.2": in_soap_12,
    "SOAP 1.2 as text/xml": lambda told: in_soap_12(told, "text/xml; charset=utf-8"),
    "SOAP 1.1 as application/soap+xml": lambda told: replace(told, content_type=SOAP_12_TYPE),
    "SOAP 1.2 without a Content-Type": lambda told: in_soap_12(told, ""),
    "SOAP 1.2, indented": lambda told: in_soap_12(
        replace(told, transform=lambda body: body.replace(b"><", b">\n\t <")),
    ),
    "SOAP 1.2, must understand ours": lambda told: _header_with(told, b'soap:mustUnderstand="true"'),
    "SOAP 1.2, a block for another": lambda told: in_soap_12(replace(told, header=told.header + _ROUTE)),
    "SOAP 1.2, mustUnderstand of another namespace": lambda told: in_soap_12(
        replace(told, header=told.header + b'<x xmlns="urn:x" xmlns:old="urn:old" old:mustUnderstand="1"/>')
    ),
    "SOAP 1.2, a control character": lambda told: in_soap_12(
        replace(repaired_as(told, "control character", "unknown element"), after=b"<x>&#1;</x>")
    ),
    "SOAP 1.2, rpc": _rpc,
    "SOAP 1.2, rpc by reference": _by_reference(""),
    "SOAP 1.2, rpc by reference, PHP": _by_reference("#"),
}


def soap12() -> Iterator[tuple[str, Message]]:
    for case, change in SOAP12.items():
        for kind in Kind:
            yield f"{kind}: {case}", change(message(kind, case))
