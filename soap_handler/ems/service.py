"""The six operations of the inbox service, by spyne. Who may call them, and which call fails, is decided elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date
from typing import TYPE_CHECKING, Any, Final, Literal

import soap_handler.faces.soap.compat  # noqa: F401  # isort: split - its import mends spyne, which must come after it

from spyne import Application, ComplexModel, Integer, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

from soap_handler.contract import NAMESPACE
from soap_handler.ems.faults import CodePlace, InboxFault, VendorCode
from soap_handler.ems.wire import dotnet_time, shield, unshield

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from soap_handler.ems.mailbox import Mailbox
    from soap_handler.notifications import MessageReceived

UnknownIds = Literal["ignore", "fault"]
"""What ``DeleteMessages`` does about ids that it does not know, after it deleted the others."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What one call works with: the caller's mailbox, and how this inbox answers what goes wrong."""

    mailbox: Mailbox
    code_place: CodePlace = CodePlace.DETAIL
    unknown_ids: UnknownIds = "ignore"

    def fault(self, code: VendorCode) -> InboxFault:
        """Return the fault that carries this code."""
        return InboxFault(code, self.code_place)


class MessengerHeader(ComplexModel):
    """The credentials on every call."""

    __namespace__ = NAMESPACE

    Username = Unicode
    Password = Unicode
    Account = Unicode


class Message(ComplexModel):
    """A message of the inbox. Times and enumerations are texts here, since they are written as .NET does."""

    __namespace__ = NAMESPACE
    _type_info = tuple(
        (name, Unicode)
        for name in ("id", "originator", "recipient", "body", "sentat", "receivedat", "type", "status", "username")
    )


class ArrayOfMessage(ComplexModel):
    """Messages in a row."""

    __namespace__ = NAMESPACE

    message = Message.customize(max_occurs="unbounded")


class ArrayOfString(ComplexModel):
    """Ids in a row."""

    __namespace__ = NAMESPACE

    string = Unicode(max_occurs="unbounded")


def get_messages(desk: Desk) -> ArrayOfMessage:
    """Give the whole inbox in one answer; there is no paging."""
    return _array(desk.mailbox.messages())


def get_message_by_id(desk: Desk, message_id: str | None) -> Message:
    """Give one message."""
    message = desk.mailbox.get(message_id or "")
    if message is None:
        raise desk.fault(VendorCode.MESSAGE_NOT_FOUND)
    return _message(message)


def get_messages_by_id(desk: Desk, ids: ArrayOfString | None) -> ArrayOfMessage:
    """Give those of the messages that are there."""
    found = (desk.mailbox.get(message_id) for message_id in _strings(ids))
    return _array(message for message in found if message is not None)


def get_messages_for_day(desk: Desk, year: int, month: int, day: int) -> ArrayOfMessage:
    """Give the messages that were received on one day (UTC)."""
    try:
        wanted = date(year, month, day)
    except (TypeError, ValueError) as error:
        raise desk.fault(VendorCode.VALIDATION_ERROR) from error
    messages = desk.mailbox.messages()
    return _array(
        found for found in messages if found.received_at and found.received_at.astimezone(UTC).date() == wanted
    )


def delete_message(desk: Desk, message_id: str | None) -> None:
    """Delete one message."""
    if desk.mailbox.delete([message_id or ""]):
        raise desk.fault(VendorCode.MESSAGE_NOT_FOUND)


def delete_messages(desk: Desk, ids: ArrayOfString | None) -> None:
    """Delete those of the messages that are there."""
    if desk.mailbox.delete(_strings(ids)) and desk.unknown_ids == "fault":
        raise desk.fault(VendorCode.MESSAGE_NOT_FOUND)


def _operation(
    name: str, function: Callable[..., Any], takes: dict[str, Any], gives: type[ComplexModel] | None = None
) -> Any:  # noqa: ANN401 - spyne publishes no types
    """Make an operation of spyne from a function that knows only its desk and its parameters."""

    def call(context: Any, *values: Any) -> Any:  # noqa: ANN401 - spyne publishes no types
        return function(context.udc, *values)

    call.__name__ = name
    call.__doc__ = function.__doc__
    return rpc(*takes.values(), _args=tuple(takes), _returns=gives)(call)


_ID: Final = {"id": Unicode}
_IDS: Final = {"ids": ArrayOfString}
_DAY: Final = {"year": Integer, "month": Integer, "day": Integer}

InboxOperations = type(
    "InboxService",
    (ServiceBase,),
    {
        "__doc__": "The inbox service as spyne knows it (contract, section 2).",
        "__in_header__": MessengerHeader,
        "GetMessages": _operation("GetMessages", get_messages, {}, ArrayOfMessage),
        "GetMessageByID": _operation("GetMessageByID", get_message_by_id, _ID, Message),
        "GetMessagesByID": _operation("GetMessagesByID", get_messages_by_id, _IDS, ArrayOfMessage),
        "GetMessagesForDay": _operation("GetMessagesForDay", get_messages_for_day, _DAY, ArrayOfMessage),
        "DeleteMessage": _operation("DeleteMessage", delete_message, _ID),
        "DeleteMessages": _operation("DeleteMessages", delete_messages, _IDS),
    },
)


class _AsmxSoap(Soap11):
    """SOAP 1.1 as ASP.NET writes it: fault codes read ``soap:Server``, control characters are references."""

    soap_env = "soap"

    def create_out_string(self, context: Any, charset: str | None = None) -> None:  # noqa: ANN401 - spyne has no types
        """Write the answer, and give the text its control characters back, which lxml would refuse."""
        super().create_out_string(context, charset)
        context.out_string = [unshield(b"".join(context.out_string))]


def inbox_application(login: Callable[[MessengerHeader | None], Desk]) -> WsgiApplication:
    """Return the WSGI application of the inbox service.

    ``login`` is called before every operation with the header, or ``None`` where there is none. It returns the desk
    to work at, or raises :class:`InboxFault`.
    """
    application = Application(
        [InboxOperations], NAMESPACE, name="InboxService", in_protocol=Soap11(), out_protocol=_AsmxSoap()
    )
    prefixes = application.interface.nsmap
    prefixes["soap"] = prefixes.pop("soap11env")

    def open_desk(context: Any) -> None:  # noqa: ANN401 - spyne publishes no types
        context.udc = login(context.in_header)

    application.event_manager.add_listener("method_call", open_desk)
    return WsgiApplication(application)


def _strings(ids: ArrayOfString | None) -> list[str]:
    return [text for text in (ids.string or ()) if text] if ids else []


def _array(messages: Iterable[MessageReceived]) -> ArrayOfMessage:
    return ArrayOfMessage(message=[_message(message) for message in messages])


def _message(message: MessageReceived) -> Message:
    return Message(
        id=message.id,
        originator=message.originator,
        recipient=message.recipient,
        body=shield(message.body),
        sentat=dotnet_time(message.sent_at),
        receivedat=dotnet_time(message.received_at),
        type=str(message.type),
        status="Delivered",
        username="",
    )
