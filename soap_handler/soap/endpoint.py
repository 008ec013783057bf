"""The SOAP face as a whole: a request's bytes in, an answer's bytes out, in two halves with the commit between them."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
from spyne.application import Application
from spyne.context import MethodContext
from spyne.model.fault import Fault
from spyne.server import ServerBase

from soap_handler.contract import NAMESPACE
from soap_handler.errors import AuthenticationError, JournalUnavailableError
from soap_handler.receive import Push
from soap_handler.soap.faults import client_fault, fault_envelope, server_fault
from soap_handler.soap.protocol import AccountEventProtocol
from soap_handler.soap.service import AccountEventHandler

if TYPE_CHECKING:
    from concurrent.futures import Future

    from soap_handler.notifications import Kind
    from soap_handler.reading import Fields
    from soap_handler.receive import Receiver

log = structlog.get_logger(__name__)

CONTENT_TYPE: Final = "text/xml; charset=utf-8"
"""Of every answer; some stacks refuse ``application/xml`` (design, "What real SOAP stacks need from us")."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back."""

    status: str
    body: bytes


class _Application(Application):
    """Turns our own errors into faults, and everything else into one that says nothing about our insides."""

    def call_wrapper(self, ctx: Any) -> Any:  # noqa: ANN401 - spyne's signature
        try:
            return super().call_wrapper(ctx)
        except Fault:
            raise
        except AuthenticationError as error:
            raise client_fault(str(error)) from error
        except Exception as error:
            raise _unexpected(error) from error


class _Call:
    """One call while it is being served: what the operation needs, and what became of it."""

    def __init__(self, receiver: Receiver, caller: str) -> None:
        self._receiver = receiver
        self._caller = caller
        self.context: Any = None
        self.commit: Future[bool] | None = None

    def submit(self, kind: Kind, fields: Fields) -> None:
        """Take in the notification up to its commit."""
        self.commit = self._receiver.submit(Push(kind, fields, self.context.in_header, self._caller))


class Endpoint(ServerBase):
    """The spyne service behind :meth:`begin` and :meth:`finish`. Neither raises: every request gets a SOAP answer."""

    transport = "http://schemas.xmlsoap.org/soap/http"

    def __init__(self, receiver: Receiver) -> None:
        protocol = AccountEventProtocol
        super().__init__(
            _Application(
                [AccountEventHandler],
                NAMESPACE,
                name="AccountEventHandler",
                in_protocol=protocol(),
                out_protocol=protocol(),
            )
        )
        self._receiver = receiver

    def begin(self, body: bytes, caller: str) -> Any:  # noqa: ANN401 - spyne's context has no type
        """Do everything up to the commit, and return what :meth:`finish` needs."""
        context = MethodContext(self, MethodContext.SERVER)
        context.in_string = [body]
        context.udc = _Call(self._receiver, caller)
        try:
            return self._run(context)
        except Exception as error:  # noqa: BLE001 - the outermost wall: a defect of ours must not reach the caller
            context.out_error = _unexpected(error)
            return context

    def _run(self, context: Any) -> Any:  # noqa: ANN401 - spyne's context has no type
        context = self.generate_contexts(context)[0]
        context.udc.context = context
        if context.in_error is None:
            self.get_in_object(context)
        if context.in_error is None:
            self.get_out_object(context)
        return context

    def finish(self, context: Any) -> Answer:  # noqa: ANN401 - spyne's context has no type
        """Wait for the commit and return the answer."""
        try:
            self._await_commit(context)
            self.get_out_string(context)
            body = b"".join(context.out_string)
        except Exception as error:  # noqa: BLE001 - as in ``begin``
            context.out_error = _unexpected(error)
            body = fault_envelope(context.out_error)
        return Answer("200 OK" if context.out_error is None else "500 Internal Server Error", body)

    def _await_commit(self, context: Any) -> None:  # noqa: ANN401 - spyne's context has no type
        if context.out_error is not None:
            return
        try:
            self._receiver.complete(context.udc.commit)
        except JournalUnavailableError:
            context.out_error = server_fault("The notification could not be stored; please send it again")


def refusal(text: str) -> Answer:
    """Return the answer to a request that never reached the service, such as one that is too large."""
    return Answer("500 Internal Server Error", fault_envelope(client_fault(text)))


def _unexpected(error: Exception) -> Fault:
    """Log a defect by its kind and place, without its message, which may quote what the caller sent."""
    place = "".join(traceback.format_tb(error.__traceback__))
    log.error("request_failed", error=type(error).__name__, place=place)
    return server_fault("Internal error; please send it again")
