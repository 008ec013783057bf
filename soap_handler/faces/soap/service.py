"""The Account Event Handler as spyne knows it: its types and its four operations, in the contract's own spelling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spyne.decorator import rpc
from spyne.model.complex import ComplexModel
from spyne.model.enum import Enum
from spyne.model.primitive import Boolean, DateTime, Integer32, Unicode
from spyne.service import Service

from soap_handler import notifications
from soap_handler.contract import NAMESPACE
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from enum import StrEnum

    from soap_handler.accounts.accounts import Credentials
    from soap_handler.receive.values import Fields

# Reference types may be left out, value types may not (contract, section 1: the pattern of the vendor's generator).
Text = Unicode(min_occurs=0, nillable=False)
Instant = DateTime(min_occurs=1, nillable=False)
Int = Integer32(min_occurs=1, nillable=False)
Bool = Boolean(min_occurs=1, nillable=False)


def _enumeration(cls: type[StrEnum]) -> Any:  # noqa: ANN401 - spyne makes classes as it goes
    members = Enum(*(member.value for member in cls), type_name=cls.__name__)
    return members.customize(min_occurs=1, nillable=False)


class MessengerHeader(ComplexModel):
    """The header of every call: who calls, and for which account."""

    __namespace__ = NAMESPACE
    _type_info = [("Username", Text), ("Password", Text), ("Account", Text)]  # noqa: RUF012 - spyne reads a list


class FailureReason(ComplexModel):
    """Why a message failed, in the provider's numbers and words."""

    __namespace__ = NAMESPACE
    _type_info = [("code", Int), ("description", Text), ("permanentfailure", Bool)]  # noqa: RUF012 - spyne reads a list


@dataclass(slots=True)
class Call:
    """One call while spyne reads it (its context's ``udc``): what the protocol and the operation find in it."""

    kind: Kind = field(init=False)
    fields: Fields = field(init=False)
    credentials: Credentials | None = None
    repaired: tuple[str, ...] = ()
    """What had to be mended before it could be read."""


class AccountEventHandler(Service):
    """The operations. Each notes its parameters under their attributes' names; what they mean is read later.

    The protocol gives every parameter as the text that came, or ``None`` where none came.
    """

    __in_header__ = MessengerHeader

    @rpc(Text, Text, Text, Text, _enumeration(notifications.MessageType), Instant, Instant)
    def MessageReceived(
        ctx,
        id,
        originator,
        recipient,
        body,
        type,
        sentat,
        receivedat,
    ):
        _note(
            ctx,
            Kind.MESSAGE_RECEIVED,
            id=id,
            originator=originator,
            recipient=recipient,
            body=body,
            type=type,
            sent_at=sentat,
            received_at=receivedat,
        )

    @rpc(Text, _enumeration(notifications.EventType), Instant)
    def MessageEvent(ctx, id, eventtype, occurredat):
        _note(ctx, Kind.MESSAGE_EVENT, id=id, event_type=eventtype, occurred_at=occurredat)

    @rpc(
        Text,
        _enumeration(notifications.ErrorType),
        Instant,
        Text,
        FailureReason.customize(min_occurs=0, nillable=False),
    )
    def MessageError(ctx, id, errortype, occurredat, detail, failurereason):
        _note(
            ctx,
            Kind.MESSAGE_ERROR,
            id=id,
            error_type=errortype,
            occurred_at=occurredat,
            detail=detail,
            failure_reason=failurereason
            and {**failurereason, "permanent_failure": failurereason.get("permanentfailure")},
        )

    @rpc(Text, Text, _enumeration(notifications.EventCode), Instant)
    def SubscriptionEvent(ctx, mobileNumber, contactID, eventCode, occurredAt):
        _note(
            ctx,
            Kind.SUBSCRIPTION_EVENT,
            mobile_number=mobileNumber,
            contact_id=contactID,
            event_code=eventCode,
            occurred_at=occurredAt,
        )


def _note(ctx: Any, kind: Kind, **fields: Any) -> None:  # noqa: ANN401 - spyne's context has no type
    call: Call = ctx.udc
    call.kind, call.fields, call.credentials = kind, fields, ctx.in_header
