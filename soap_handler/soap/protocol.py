"""spyne's SOAP 1.1 protocol with our own reading and writing: tolerant of values, strict about SOAP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lxml import etree
from spyne.protocol.soap import Soap11

from soap_handler.accounts import Credentials
from soap_handler.contract import NAMESPACE
from soap_handler.notifications import Kind
from soap_handler.soap.envelope import read_envelope
from soap_handler.soap.faults import client_fault, fault_envelope, response_envelope

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_OPERATIONS: Final = frozenset(f"{{{NAMESPACE}}}{kind.value}" for kind in Kind)
_RESPONSES: Final = {kind.value: response_envelope(kind.value) for kind in Kind}
_MISSPELT: Final = {"occuredat": "occurredat"}  # as on the vendor's own pages (contract, section 4)


class AccountEventProtocol(Soap11):
    """Reads the four operations into texts and answers with constants.

    The methods keep the names, and the context attributes that they must set, of spyne's protocol interface.
    """

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:  # noqa: ANN401, ARG002 - spyne's signature
        """Parse and check the request."""
        ctx.in_document = read_envelope(b"".join(ctx.in_string))

    def decompose_incoming_envelope(self, ctx: Any, message: str = Soap11.REQUEST) -> None:  # noqa: ANN401, ARG002 - spyne's signature
        """Find the operation by the element in the Body, whatever the SOAPAction says."""
        envelope = ctx.in_document
        if envelope.operation.tag not in _OPERATIONS:
            raise client_fault("The operation is not one of the Account Event Handler")
        ctx.in_header_doc = envelope.header
        ctx.in_body_doc = envelope.operation
        ctx.method_request_string = envelope.operation.tag

    def deserialize(self, ctx: Any, message: str) -> None:  # noqa: ANN401, ARG002 - spyne's signature
        """Give the operation each of its parameters as the text that came."""
        ctx.in_header = _credentials(ctx.in_header_doc)
        texts = _texts(ctx.in_body_doc)
        parameters = ctx.descriptor.in_message
        ctx.in_object = [texts.get(name) for name in parameters.get_flat_type_info(parameters)]

    def serialize(self, ctx: Any, message: str) -> None:  # noqa: ANN401, ARG002 - spyne's signature
        """Write the fault, or the operation's constant response."""
        if ctx.out_error is not None:
            ctx.out_document = fault_envelope(ctx.out_error)
        else:
            ctx.out_document = _RESPONSES[ctx.descriptor.name]

    def create_out_string(self, ctx: Any, charset: str | None = None) -> None:  # noqa: ANN401, ARG002 - spyne's signature
        """Hand the written bytes on."""
        ctx.out_string = [ctx.out_document]


def _credentials(header: tuple[Element, ...]) -> Credentials | None:
    for block in header:
        if block.tag == f"{{{NAMESPACE}}}MessengerHeader":
            texts = _texts(block)
            return Credentials(**{name.lower(): _text_of(texts, name) for name in ("Username", "Password", "Account")})
    return None


def _text_of(texts: dict[str, Any], name: str) -> str:
    value = texts.get(name)
    return value if isinstance(value, str) else ""


def _texts(parent: Element) -> dict[str, Any]:
    """Return the text of each child by its local name; a child with children of its own gives a mapping.

    In any order, whatever the namespace; of repeated ones the first counts.
    """
    texts: dict[str, Any] = {}
    for child in parent:
        if isinstance(child.tag, str):
            name = etree.QName(child).localname
            texts.setdefault(_MISSPELT.get(name, name), _texts(child) if len(child) else child.text or "")
    return texts
