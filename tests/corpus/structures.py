"""The same calls in other structures: credentials in the body, rpc/encoded stubs, repeated operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from soap_handler.contract import NAMESPACE
from soap_handler.notifications import Kind
from tests.corpus.messages import FIELDS, PASSWORD, XSI, Message, element, message, repaired_as

Mutation = Callable[[Message], Message]
ENCODING: Final = 'soap:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"'


def no_header(told: Message) -> Message:
    parts = {name.lower(): element(name.lower(), text.encode()) for name, text in CREDENTIALS.items()}
    return replace(told, header=b"", parts=parts | told.parts)


def _nil_header(told: Message) -> Message:
    """Return the call with the header's block there, but empty, and the credentials before the parameters."""
    return replace(no_header(told), header=f'<MessengerHeader xmlns="{NAMESPACE}" {XSI} xsi:nil="true"/>'.encode())


def _empty_header(told: Message) -> Message:
    block = "<Username></Username><Password/><Account/>"
    return replace(no_header(told), header=f'<MessengerHeader xmlns="{NAMESPACE}">{block}</MessengerHeader>'.encode())


CREDENTIALS: Final = {"Username": "ems", "Password": PASSWORD, "Account": "EX0012345"}


def _rpc(told: Message) -> Message:
    """Return the call as rpc/encoded stubs write it: a prefix for the operation, none for its parameters."""
    operation = ("m:", f'xmlns:m="{NAMESPACE}" {ENCODING}')
    parts = {name: _typed(told, name) for name in told.parts}
    return replace(repaired_as(told, "encoded call"), operation=operation, parts=parts)


def _typed(told: Message, name: str) -> bytes:
    return element(name, told.written(name), f'{XSI} xsi:type="xsd:string"')


def _by_reference(told: Message) -> Message:
    """Return the call as old Axis writes it: every value apart from its element."""
    parts = {name: f'<{name} href="#{name}-1"/>'.encode() for name in told.parts}
    after = b"".join(element("multiRef", told.written(name), f'id="{name}-1"') for name in told.parts)
    return replace(_rpc(told), parts=parts, after=after)


def _php_map(told: Message) -> Message:
    """Return the call as PHP's SoapClient writes an array without a WSDL: a map of items."""
    if told.kind is not Kind.MESSAGE_ERROR:
        return _rpc(told)
    items = {"code": "27", "description": "Switched off", "permanentfailure": "false"}
    wire = b"".join(
        element("item", element("key", key.encode()) + element("value", value.encode())) for key, value in items.items()
    )
    return _rpc(told).with_content("failurereason", wire)


def _perl(told: Message) -> Message:
    """Return the call as SOAP::Lite writes a text that is not ASCII: in base64."""
    kind_of_text = {"MessageReceived": "body", "MessageError": "detail", "SubscriptionEvent": "contactID"}
    name = kind_of_text.get(told.kind)
    if name is None:
        return _rpc(told)
    told = _rpc(told).with_part(name, element(name, b"Sm9zw6k=", f'{XSI} xsi:type="xsd:base64Binary"'))
    return repaired_as(told, "encoded call", "base64", **{FIELDS[told.kind][name]: "Jos\u00e9"})


STRUCTURES: Final[dict[str, Mutation]] = {
    "no header": no_header,
    "no header, no namespace": lambda told: replace(repaired_as(no_header(told), "namespace"), operation=("", "")),
    "header that is nil": _nil_header,
    "header that is empty": _empty_header,
    "header without blocks": lambda told: replace(no_header(told), header=b" "),
    "operation in no namespace": lambda told: replace(repaired_as(told, "namespace"), operation=("", "")),
    "operation in another namespace": lambda told: replace(
        repaired_as(told, "namespace"), operation=("", 'xmlns="urn:x"')
    ),
    "header in no namespace": lambda told: replace(
        repaired_as(told, "namespace"), header=told.header.replace(f' xmlns="{NAMESPACE}"'.encode(), b"")
    ),
    "parameters in no namespace": lambda told: replace(
        repaired_as(told, "namespace"), operation=("m:", f'xmlns:m="{NAMESPACE}"')
    ),
    "rpc": _rpc,
    "rpc by reference": _by_reference,
    "PHP map": _php_map,
    "Perl base64": _perl,
    "operation twice": lambda told: replace(
        told, after=told.bytes_().partition(b"Body>")[2].rpartition(b"</soap:B")[0]
    ),
    "another operation after": lambda told: replace(
        told, after=f'<MessageEvent xmlns="{NAMESPACE}"><id>{told.identity}</id></MessageEvent>'.encode()
    ),
    "something else after": lambda told: replace(told, after=b"<other/>"),
    "header last": lambda told: replace(told, transform=_header_last),
    "indented": lambda told: replace(told, transform=lambda body: body.replace(b"><", b">\n\t <")),
    "reversed": lambda told: replace(told, parts=dict(reversed(told.parts.items()))),
    "unknown elements": lambda told: unread_without_id(
        replace(told, parts={"new": b"<new><id>9</id></new>"} | told.parts), "unknown element"
    ),
    "password with a control character elsewhere": lambda told: replace(
        repaired_as(told, "control character", "unknown element"), after=b"<x>&#1;</x>"
    ),
    "everything at once": lambda told: replace(
        repaired_as(
            no_header(told),
            "encoding",
            "control character",
            "namespace",
            "unknown element",
        ),
        operation=("", ""),
        after=b"<Another>\xe9&#1;</Another>",
    ),
}


def unread_without_id(told: Message, *marks: str) -> Message:
    """Return the call with these marks where it has no id: then anything unread tells it from others."""
    return repaired_as(told, *marks) if told.kind is Kind.SUBSCRIPTION_EVENT else told


def _header_last(body: bytes) -> bytes:
    start, end = body.index(b"<soap:Header>"), body.index(b"<soap:Body>")
    return body[:start] + body[end:].replace(b"</soap:Envelope>", body[start:end] + b"</soap:Envelope>")


def structures() -> Iterator[tuple[str, Message]]:
    for case, change in STRUCTURES.items():
        for kind in Kind:
            yield f"{kind}: {case}", change(message(kind, case))
