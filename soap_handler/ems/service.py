"""The operations of the inbox service, by spyne. For logins and outages, see inbox.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date
from typing import TYPE_CHECKING, Any, Final, Literal

import soap_handler.faces.soap.compat  # noqa: F401  # isort: split - it patches spyne, which is imported after it

from spyne import Application, ComplexModel, Integer, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

from soap_handler.contract import CREDENTIALS, INBOX_MESSAGE, INBOX_OPERATIONS, MESSENGER_HEADER, NAMESPACE, Type
from soap_handler.ems.faults import CodePlace, InboxFault, VendorCode
from soap_handler.ems.wire import inbox_message
from soap_handler.xml.control_characters import unshield

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from soap_handler.contract import InboxOperation, Parameter
    from soap_handler.ems.mailbox import Mailbox
    from soap_handler.notifications import MessageReceived

UnknownIds = Literal["ignore", "fault"]
"""The answer of ``DeleteMessages`` to ids that it does not know, after it deleted the others."""


@dataclass(frozen=True, slots=True)
class Session:
    """Context of one call: the caller's mailbox, and how this inbox answers mistakes."""

    mailbox: Mailbox
    code_place: CodePlace = CodePlace.DETAIL
    unknown_ids: UnknownIds = "ignore"

    def fault(self, code: VendorCode) -> InboxFault:
        """Return the fault that carries this code."""
        return InboxFault(code, self.code_place)


def _structure(name: str, members: Iterable[Parameter]) -> Any:  # noqa: ANN401 - spyne publishes no types
    """Make a type of spyne. Times and enumerations are texts here, since ``wire`` writes them as .NET does."""
    types = [(each.name, Unicode) for each in members]
    return type(name, (ComplexModel,), {"__namespace__": NAMESPACE, "_type_info": types})


MessengerHeader: Any = _structure(MESSENGER_HEADER, CREDENTIALS)
Message: Any = _structure("Message", INBOX_MESSAGE)


class ArrayOfMessage(ComplexModel):
    """A list of messages."""

    __namespace__ = NAMESPACE

    message = Message.customize(max_occurs="unbounded")


class ArrayOfString(ComplexModel):
    """A list of ids."""

    __namespace__ = NAMESPACE

    string = Unicode(max_occurs="unbounded")


def get_messages(session: Session) -> ArrayOfMessage:
    """Return the whole inbox in one answer; there is no paging."""
    return _array(session.mailbox.messages())


def get_message_by_id(session: Session, message_id: str | None) -> Any:  # noqa: ANN401 - spyne publishes no types
    """Return one message."""
    message = session.mailbox.get(message_id or "")
    if message is None:
        raise session.fault(VendorCode.MESSAGE_NOT_FOUND)
    return _message(message)


def get_messages_by_id(session: Session, ids: ArrayOfString | None) -> ArrayOfMessage:
    """Return the messages with these ids; unknown ids are left out."""
    found = (session.mailbox.get(message_id) for message_id in _strings(ids))
    return _array(message for message in found if message is not None)


def get_messages_for_day(session: Session, year: int, month: int, day: int) -> ArrayOfMessage:
    """Return the messages that were received on one day (UTC)."""
    try:
        wanted = date(year, month, day)
    except (TypeError, ValueError) as error:
        raise session.fault(VendorCode.VALIDATION_ERROR) from error
    messages = session.mailbox.messages()
    return _array(
        found for found in messages if found.received_at and found.received_at.astimezone(UTC).date() == wanted
    )


def delete_message(session: Session, message_id: str | None) -> None:
    """Delete one message."""
    if session.mailbox.delete([message_id or ""]):
        raise session.fault(VendorCode.MESSAGE_NOT_FOUND)


def delete_messages(session: Session, ids: ArrayOfString | None) -> None:
    """Delete the messages with these ids."""
    if session.mailbox.delete(_strings(ids)) and session.unknown_ids == "fault":
        raise session.fault(VendorCode.MESSAGE_NOT_FOUND)


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "GetMessages": get_messages,
    "GetMessageByID": get_message_by_id,
    "GetMessagesByID": get_messages_by_id,
    "GetMessagesForDay": get_messages_for_day,
    "DeleteMessage": delete_message,
    "DeleteMessages": delete_messages,
}
_TYPES: Final = {Type.ID: Unicode, Type.IDS: ArrayOfString, Type.NUMBER: Integer}
_RESULTS: Final = {"message": Message, "messages": ArrayOfMessage, None: None}


def _operation(operation: InboxOperation) -> Any:  # noqa: ANN401 - spyne publishes no types
    """Make spyne's method of an operation from the function that knows only its session and its parameters."""
    function = _FUNCTIONS[operation.name]

    def call(context: Any, *values: Any) -> Any:  # noqa: ANN401 - spyne publishes no types
        return function(context.udc, *values)

    call.__name__ = operation.name
    call.__doc__ = function.__doc__
    types = [_TYPES[kind] for kind in operation.takes.values()]
    return rpc(*types, _args=tuple(operation.takes), _returns=_RESULTS[operation.gives])(call)


InboxOperations = type(
    "InboxService",
    (ServiceBase,),
    {
        "__doc__": "The inbox service as spyne knows it (contract, section 2).",
        "__in_header__": MessengerHeader,
        **{operation.name: _operation(operation) for operation in INBOX_OPERATIONS},
    },
)


class _AsmxSoap(Soap11):
    """SOAP 1.1 as ASP.NET writes it: fault codes read ``soap:Server``, control characters are references."""

    soap_env = "soap"

    def create_out_string(self, context: Any, charset: str | None = None) -> None:  # noqa: ANN401 - spyne has no types
        """Write the answer. Its control characters become references, which lxml would refuse to write."""
        super().create_out_string(context, charset)
        context.out_string = [unshield(b"".join(context.out_string))]


def inbox_application(login: Callable[[Any], Session]) -> WsgiApplication:
    """Return the WSGI application of the inbox service.

    ``login`` is called before every operation, with the header or ``None``. It returns the session, or raises
    :class:`InboxFault`.
    """
    application = Application(
        [InboxOperations], NAMESPACE, name="InboxService", in_protocol=Soap11(), out_protocol=_AsmxSoap()
    )
    prefixes = application.interface.nsmap
    prefixes["soap"] = prefixes.pop("soap11env")

    def open_session(context: Any) -> None:  # noqa: ANN401 - spyne publishes no types
        context.udc = login(context.in_header)

    application.event_manager.add_listener("method_call", open_session)
    return WsgiApplication(application)


def _strings(ids: ArrayOfString | None) -> list[str]:
    return [text for text in (ids.string or ()) if text] if ids else []


def _array(messages: Iterable[MessageReceived]) -> ArrayOfMessage:
    return ArrayOfMessage(message=[_message(message) for message in messages])


def _message(message: MessageReceived) -> Any:  # noqa: ANN401 - spyne publishes no types
    return Message(**inbox_message(message))
