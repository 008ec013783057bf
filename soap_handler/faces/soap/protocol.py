"""spyne's SOAP 1.1 protocol with our own reading: tolerant of values, strict about SOAP. It writes no answers."""

from __future__ import annotations

from typing import Any, Final

from spyne.protocol.soap import Soap11

from soap_handler.contract import NAMESPACE, OPERATIONS
from soap_handler.faces.soap.envelope import local_name, read_envelope
from soap_handler.faces.soap.faults import client_fault
from soap_handler.faces.soap.values import Values
from soap_handler.notifications import Kind
from soap_handler.xml.limits import Limits

_OPERATIONS: Final = frozenset(f"{{{NAMESPACE}}}{kind.value}" for kind in Kind)


class AccountEventProtocol(Soap11):
    """Reads the four operations into texts.

    The methods keep the names, and the context attributes that they must set, of spyne's protocol interface.
    """

    limits = Limits()
    """Limits on the structure of a request."""

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:  # noqa: ANN401 - spyne's signature
        """Parse and check the request."""
        ctx.in_document = read_envelope(b"".join(ctx.in_string), charset, self.limits)

    def decompose_incoming_envelope(self, ctx: Any, message: str = Soap11.REQUEST) -> None:  # noqa: ANN401, ARG002 - spyne's signature
        """Find the operation by the element in the Body. The SOAPAction decides nothing."""
        envelope = ctx.in_document
        name = f"{{{NAMESPACE}}}{local_name(envelope.operation)}"
        if name not in _OPERATIONS:
            raise client_fault("The operation is not one of the Account Event Handler")
        ctx.in_header_doc = envelope.header
        ctx.in_body_doc = envelope.operation
        ctx.method_request_string = name

    def deserialize(self, ctx: Any, message: str) -> None:  # noqa: ANN401, ARG002 - spyne's signature
        """Give the operation each of its parameters as the text that came, and the credentials."""
        values = Values(ctx.in_document)
        parameters = OPERATIONS[Kind(ctx.descriptor.name)].parameters
        ctx.in_header = values.credentials()
        fields = values.parameters(parameters)
        ctx.in_object = [fields.get(parameter.attribute) for parameter in parameters]
        ctx.udc.repaired = values.repaired
