"""The SOAP face: a request's bytes in, an answer's bytes out, in two halves with the commit between them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from spyne.application import Application
from spyne.context import MethodContext
from spyne.model.fault import Fault
from spyne.protocol.soap import Soap11
from spyne.server import ServerBase

from soap_handler.contract import NAMESPACE, OPERATIONS
from soap_handler.faces.base import PATH, Answer, Exchange, Face
from soap_handler.faces.credentials import basic, presented
from soap_handler.faces.origin import NO_HEADER
from soap_handler.faces.soap.envelope import read_envelope
from soap_handler.faces.soap.faults import client_fault, response_envelope
from soap_handler.faces.soap.operation_bytes import operation_bytes
from soap_handler.faces.soap.redact import redacted
from soap_handler.faces.soap.refusals import answer_of, defect, not_stored, our_fault, untaken
from soap_handler.faces.soap.service import Call, account_event_handler
from soap_handler.faces.soap.values import read_calls
from soap_handler.faces.soap.versions import SOAP_1_1, SOAP_1_2, SoapVersion
from soap_handler.faces.soap.wsdl import Descriptions
from soap_handler.notifications import Kind
from soap_handler.receive.push import Push
from soap_handler.xml.charsets import charset_of
from soap_handler.xml.parser import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from soap_handler.contract import Operation
    from soap_handler.faces.base import ReadMany, Request
    from soap_handler.faces.soap.service import ReadCall
    from soap_handler.receive.receiver import Receiver

CONTENT_TYPE: Final = SOAP_1_1.content_type
"""Of SOAP 1.1 answers and of the WSDL."""


def _confirmations(version: SoapVersion) -> dict[Kind, Answer]:
    return {kind: Answer("200 OK", version.content_type, response_envelope(kind.value, version)) for kind in Kind}


CONFIRMED: Final = _confirmations(SOAP_1_1)
"""The answer that confirms a notification of each kind: the namespaced, empty response element."""
_CONFIRMED: Final = {SOAP_1_1: CONFIRMED, SOAP_1_2: _confirmations(SOAP_1_2)}


class Endpoint(ServerBase, Face):
    """The Account Event Handler over SOAP 1.1 and 1.2, as a face. spyne reads a request; the rest is here.

    A request is answered in the version of its envelope, whatever its Content-Type. Where no envelope is read, as in
    what HTTP itself refuses, the Content-Type decides.
    """

    transport = "http://schemas.xmlsoap.org/soap/http"
    api = "soap"
    title = "SOAP"
    paths = (PATH, f"{PATH}.asmx")

    def __init__(self, receiver: Receiver, limits: Limits = Limits(), read_many: ReadMany | None = None) -> None:  # noqa: B008 - frozen
        """``limits`` are on the structure of a request."""
        super().__init__(_spyne_application(limits))
        self._receiver = receiver
        self._descriptions = Descriptions()
        self.read_many = read_many

    def prepare(self, request: Request) -> Exchange:
        """Do everything up to the commit: read, authenticate, key."""
        call = Call(content_type=request.content_type, version=_announced(request.content_type))
        try:
            return self._prepare(request, call)
        except Exception as error:  # noqa: BLE001 - the outermost wall: a defect of ours must not reach the caller
            return untaken(error, call.version)

    def _prepare(self, request: Request, call: Call) -> Exchange:
        self._read(request.body, call)

        password = call.credentials.password if call.credentials else ""

        def kept() -> bytes | None:
            return redacted(request.body, password, charset_of(request.content_type))

        def operation(masked: bytes | None) -> bytes:
            return operation_bytes(request.body, masked, password)

        credentials = call.credentials
        if request.authorization:
            credentials = presented(credentials, basic(request.authorization))

        def push(one: Call | ReadCall, others: tuple[Push, ...] = ()) -> Push:
            return Push(
                one.kind,
                one.fields,
                credentials,
                request.caller,
                one.repaired,
                kept,
                doubtful=one.doubtful,
                operation=operation,
                others=others,
                size=len(request.body),
                api=call.version.api if call.has_header else call.version.api + NO_HEADER,
            )

        entry = self._receiver.prepare(push(call, tuple(map(push, call.others))))
        return Exchange(entry, _CONFIRMED[call.version][call.kind], not_stored=partial(not_stored, call.version))

    def _read(self, body: bytes, call: Call) -> None:
        """Have spyne parse a request and run its operation, which notes what was called.

        Raises:
            Fault: the request is not a call of one of the four operations.
        """
        context = MethodContext(self, MethodContext.SERVER)
        context.in_string = [body]
        context.udc = call
        context = self.generate_contexts(context)[0]
        if context.in_error is None:
            self.get_in_object(context)
        if context.in_error is None:
            self.get_out_object(context)
        error = context.in_error or context.out_error
        if error is not None:
            raise error

    def not_stored(self, error: BaseException) -> Answer:
        """Return a Server fault, upon which EMS pushes again."""
        return not_stored(SOAP_1_1, error)

    def refused(self, text: str, content_type: str = "", *, forbidden: bool = False) -> Answer:  # noqa: ARG002 - see the docstring
        """Return a Client fault. Its status is that of every fault: a 403 would hide it from most SOAP stacks."""
        return answer_of(client_fault(text), _announced(content_type))

    def failed(self, content_type: str = "") -> Answer:
        """Return a Server fault that says nothing about our insides."""
        return answer_of(our_fault(), _announced(content_type))

    def describe(self, query: Collection[str], address: str) -> Answer | None:
        """Return the WSDL, its schema or the discovery document, where ``query`` names one."""
        found = self._descriptions.find(query, address)
        return None if found is None else Answer("200 OK", CONTENT_TYPE, found)


class _Application(Application):
    """Turns what breaks in an operation into a fault that says nothing about our insides."""

    def call_wrapper(self, ctx: Any) -> Any:  # noqa: ANN401 - spyne's signature
        try:
            return super().call_wrapper(ctx)
        except Fault:
            raise
        except Exception as error:
            raise defect(error) from error


class _Protocol(Soap11):
    """spyne's SOAP 1.1 protocol with a reader of our own: tolerant of values, strict about SOAP. It writes no answers.

    SOAP 1.2 is read by it too: only the envelope differs, and that is ours.

    The methods keep the names, and the context attributes that they must set, of spyne's protocol interface.
    """

    limits = Limits()
    """Limits on the structure of a request."""

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:  # noqa: ANN401, ARG002 - spyne's signature
        ctx.in_document = read_envelope(b"".join(ctx.in_string), ctx.udc, self.limits)

    def decompose_incoming_envelope(self, ctx: Any, message: str = Soap11.REQUEST) -> None:  # noqa: ANN401, ARG002 - spyne's signature
        envelope = ctx.in_document
        if envelope.operation_name not in OPERATIONS:  # whatever the SOAPAction says
            raise client_fault("The operation is not one of the Account Event Handler")
        ctx.in_header_doc, ctx.in_body_doc = envelope.header, envelope.operation
        ctx.method_request_string = f"{{{NAMESPACE}}}{envelope.operation_name}"

    def deserialize(self, ctx: Any, message: str) -> None:  # noqa: ANN401, ARG002 - spyne's signature
        usual = ctx.in_document.call
        first, *others = read_calls(ctx.in_document) if usual is None else [usual]
        ctx.udc.repaired, ctx.udc.doubtful, ctx.udc.others = first.repaired, first.doubtful, tuple(others)
        ctx.in_header = first.credentials
        ctx.in_object = [first.fields.get(parameter.attribute) for parameter in OPERATIONS[first.kind].parameters]


def _noting(operation: Operation) -> Callable[..., None]:
    """Return what spyne runs for an operation: it notes the texts, under the names of the attributes."""
    attributes = [parameter.attribute for parameter in operation.parameters]

    def call(ctx: Any, *texts: Any) -> None:  # noqa: ANN401 - spyne's signature
        found: Call = ctx.udc
        found.kind, found.fields = operation.kind, dict(zip(attributes, texts, strict=True))
        found.credentials = ctx.in_header

    return call


_SERVICE: Final = account_event_handler(_noting)
"""The operations as spyne knows them: the same for each endpoint, and slow to make."""


def _spyne_application(limits: Limits) -> Application:
    incoming = _Protocol()
    incoming.limits = limits
    return _Application(
        [_SERVICE],
        NAMESPACE,
        name="AccountEventHandler",
        in_protocol=incoming,
        out_protocol=_Protocol(),
    )


def _announced(content_type: str) -> SoapVersion:
    """Return the version that a Content-Type announces, MTOM's in a parameter: ``application/xop+xml; type="…"``."""
    return SOAP_1_2 if SOAP_1_2.media_type in content_type.lower() else SOAP_1_1
