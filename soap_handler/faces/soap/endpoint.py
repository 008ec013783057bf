"""The SOAP face as a whole: a request's bytes in, an answer's bytes out, in two halves with the commit between them."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spyne.application import Application
from spyne.context import MethodContext
from spyne.model.fault import Fault
from spyne.server import ServerBase

from soap_handler import telemetry
from soap_handler.contract import NAMESPACE
from soap_handler.errors import AuthenticationError, JournalUnavailableError
from soap_handler.faces.soap.faults import client_fault, fault_envelope, response_envelope, server_fault
from soap_handler.faces.soap.protocol import AccountEventProtocol
from soap_handler.faces.soap.redact import redacted
from soap_handler.faces.soap.service import AccountEventHandler
from soap_handler.fast.usual_reader import UsualReader
from soap_handler.notifications import Kind
from soap_handler.receive.receiver import Push
from soap_handler.xml.charsets import charset_of
from soap_handler.xml.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.accounts.accounts import Credentials
    from soap_handler.fast.usual_reader import Read
    from soap_handler.journal import Entry
    from soap_handler.receive.receiver import Receiver
    from soap_handler.receive.values import Fields

CONTENT_TYPE: Final = "text/xml; charset=utf-8"
"""Of every answer; some stacks refuse ``application/xml`` (design, "What real SOAP stacks need from us")."""

_ERROR: Final = "500 Internal Server Error"
_OUR_FAULT: Final = "Internal error; please send it again"


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
    """One call while it is being prepared: what the operation needs, and what became of it."""

    def __init__(self, receiver: Receiver, body: bytes, caller: str, label: str | None) -> None:
        self._receiver = receiver
        self._body = body
        self._caller = caller
        self._label = label
        self.context: Any = None
        self.repaired: tuple[str, ...] = ()
        """What the protocol had to mend."""
        self.entry: Entry | None = None
        self.delay = 0.0
        """For how long (seconds) the answer is to be held back."""

    def submit(self, kind: Kind, fields: Fields) -> None:
        """Prepare the notification for the journal."""
        credentials = self.context.in_header
        push = Push(kind, fields, credentials, self._caller, self.repaired, self._envelope)
        try:
            self.entry = self._receiver.prepare(push)
        except AuthenticationError as error:
            self.delay = error.delay
            raise

    def _envelope(self) -> bytes | None:
        """Return the request as it may be kept."""
        credentials: Credentials | None = self.context.in_header
        return redacted(self._body, credentials.password if credentials else "", self._label)


_CONFIRMED: Final = {kind: Answer("200 OK", response_envelope(kind.value)) for kind in Kind}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request between its two halves: what is to be committed, and what to answer then."""

    entry: Entry | None
    """What is to be committed; ``None`` when the request was refused."""
    answer: Answer
    """What to send: for an entry, only once it is committed."""
    delay: float = 0.0
    """For how long (seconds) to hold the answer back, if it can be done without a thread that waits."""


class Endpoint(ServerBase):
    """The spyne service in two halves, with the commit between them.

    Neither half raises: every request gets a SOAP answer. Only the quick way to the first half may.
    """

    transport = "http://schemas.xmlsoap.org/soap/http"

    def __init__(self, receiver: Receiver, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        """``limits`` are on the structure of a request."""
        protocol = AccountEventProtocol
        incoming = protocol()
        incoming.limits = limits
        super().__init__(
            _Application(
                [AccountEventHandler],
                NAMESPACE,
                name="AccountEventHandler",
                in_protocol=incoming,
                out_protocol=protocol(),
            )
        )
        self._receiver = receiver
        self._usual = UsualReader()

    def prepare(self, body: bytes, caller: str, content_type: str = "") -> Exchange:
        """Do everything up to the commit. ``content_type`` is the request's, which may name a charset."""
        label = charset_of(content_type)
        context = MethodContext(self, MethodContext.SERVER)
        context.in_string = [body]
        context.udc = _Call(self._receiver, body, caller, label)
        try:
            return self._run(context, label)
        except Exception as error:  # noqa: BLE001 - the outermost wall: a defect of ours must not reach the caller
            return Exchange(None, _refused(_unexpected(error)))

    def read_usual(self, requests: Sequence[tuple[bytes, str]]) -> list[Read | None]:
        """Read what EMS usually sends, without spyne's detours; ``None`` for whatever is not quite so.

        Each request is a body and its Content-Type. Together with :meth:`check_usual` this does the same as
        :meth:`prepare`. Requests that come together are best read together, and checked together: to do one thing
        several times in a row is a fifth quicker, since the processor still has at hand what it takes.

        Raises:
            Exception: a defect of ours; the general way may do better, and has a wall around it.
        """
        return self._usual.read([body if _may_be_utf8(content_type) else b"" for body, content_type in requests])

    def check_usual(self, requests: Sequence[Read]) -> list[Exchange | None]:
        """Check and key what was read; ``None`` where the general way must decide.

        Raises:
            Exception: likewise.
        """
        entries = self._receiver.prepare_known(requests)
        return [None if each is None else Exchange(each, _CONFIRMED[each.notification.kind]) for each in entries]

    def _run(self, context: Any, label: str | None) -> Exchange:  # noqa: ANN401 - spyne's context has no type
        context = self.generate_contexts(context, label)[0]
        context.udc.context = context
        if context.in_error is None:
            self.get_in_object(context)
        if context.in_error is None:
            self.get_out_object(context)
        self.get_out_string(context)
        status = "200 OK" if context.out_error is None else _ERROR
        return Exchange(context.udc.entry, Answer(status, b"".join(context.out_string)), context.udc.delay)

    def not_stored(self, error: BaseException) -> Answer:
        """Return the answer in place of the prepared one, for an entry whose commit failed: EMS must push again."""
        if isinstance(error, JournalUnavailableError):
            return _refused(server_fault("The notification could not be stored; please send it again"))
        return _refused(_unexpected(error))


def _may_be_utf8(content_type: str) -> bool:
    label = charset_of(content_type)
    return label is None or label.lower() == "utf-8"


def refusal(text: str) -> Answer:
    """Return the answer to a request that never reached the service, such as one that is too large."""
    return _refused(client_fault(text))


def _refused(fault: Fault) -> Answer:
    return Answer(_ERROR, fault_envelope(fault))


def failure() -> Answer:
    """Return the answer to a request over which something of ours broke outside the service."""
    return _refused(server_fault(_OUR_FAULT))


def _unexpected(error: BaseException) -> Fault:
    """Log a defect by its kind and place, without its message, which may quote what the caller sent."""
    place = "".join(traceback.format_tb(error.__traceback__))
    telemetry.emit("request_failed", error=type(error).__name__, place=place)
    return server_fault(_OUR_FAULT)
