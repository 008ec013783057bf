"""spyne's SOAP 1.1 protocol with our own reading: tolerant of values, strict about SOAP. It writes no answers."""

from __future__ import annotations

import functools
from typing import Any, Final

from spyne.model.complex import ComplexModel
from spyne.protocol.soap import Soap11

from soap_handler.contract import NAMESPACE
from soap_handler.faces.soap.envelope import local_name, read_envelope
from soap_handler.faces.soap.faults import client_fault
from soap_handler.faces.soap.values import Values
from soap_handler.notifications import Kind
from soap_handler.xml.limits import Shape

_OPERATIONS: Final = frozenset(f"{{{NAMESPACE}}}{kind.value}" for kind in Kind)


class AccountEventProtocol(Soap11):
    """Reads the four operations into texts.

    The methods keep the names, and the context attributes that they must set, of spyne's protocol interface.
    """

    shape = Shape()
    """How large the structure of a request may be."""

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:  # noqa: ANN401 - spyne's signature
        """Parse and check the request."""
        ctx.in_document = read_envelope(b"".join(ctx.in_string), charset, self.shape)

    def decompose_incoming_envelope(self, ctx: Any, message: str = Soap11.REQUEST) -> None:  # noqa: ANN401, ARG002 - spyne's signature
        """Find the operation by the element in the Body, whatever the SOAPAction says."""
        envelope = ctx.in_document
        name = f"{{{NAMESPACE}}}{local_name(envelope.operation)}"
        if name not in _OPERATIONS:
            raise client_fault("The operation is not one of the Account Event Handler")
        ctx.in_header_doc = envelope.header
        ctx.in_body_doc = envelope.operation
        ctx.method_request_string = name

    def deserialize(self, ctx: Any, message: str) -> None:  # noqa: ANN401, ARG002 - spyne's signature
        """Give the operation each of its parameters as the text that came."""
        values = Values(ctx.in_document)
        names = _names(ctx.descriptor.in_message)
        ctx.in_header = values.credentials()
        texts = values.parameters(names)
        ctx.in_object = [texts.get(name) for name in names]
        ctx.udc.repaired = values.repaired


@functools.cache  # the types are few, and made once
def _names(message: Any) -> dict[str, Any]:  # noqa: ANN401 - spyne's types are classes that it makes as it goes
    """Return the names of a type's members in order; those of a structure lead to names of their own."""
    return {
        name: _names(member) if issubclass(member, ComplexModel) else None
        for name, member in message.get_flat_type_info(message).items()
    }
