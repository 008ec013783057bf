"""The wire contract in one table: operations, parameters, types and spellings, per version of the API. No behaviour.

A new parameter is one row of the table, and the attribute of its class in ``notifications``. The readers, the service,
the simulator and the help page are made from the table; a test holds the WSDL to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from soap_handler.notifications import ErrorType, EventCode, EventType, FailureReason, Kind, MessageType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAMESPACE: Final = "com.esendex.ems.soapinterface"
"""Target namespace, schema namespace and SOAPAction prefix of both services (contract, section 1)."""

SOAP_11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12: Final = "http://www.w3.org/2003/05/soap-envelope"

MESSENGER_HEADER: Final = "MessengerHeader"
"""The header block of every call, in both directions."""

NOTIFICATION_TYPE: Final = "notificationType"
"""The field of a form post that names the operation (contract, section 3)."""
FORM_PREFIX: Final = "Esendex"
"""What may stand before the name of a form's field."""


class Version(StrEnum):
    """A version of the API in which EMS can push (contract, sections 1 and 3); its value is for options."""

    SOAP = "soap"
    SOAP_NO_HEADERS = "soap-no-header"
    FORM_POST = "form"
    """The vendor calls it FormPostVersion2."""
    XML_PUSH = "xml"


class Type(Enum):
    """A simple type of a parameter. An enumeration is its class, a structure a :class:`Structure`."""

    TEXT = "text"
    ID = "id"
    """A GUID, in either case."""
    IDS = "ids"
    """Several GUIDs; only calls of the inbox have it."""
    TIME = "time"
    NUMBER = "number"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation, or one field of a structure, a header or a message."""

    attribute: str
    """The attribute that it becomes; empty where nothing reads it."""
    type: ParameterType
    spellings: Mapping[Version, str]
    """Its name in each version that has it; a slash leads into an element."""
    misspellings: tuple[str, ...] = ()
    """Other names under which it may come, whatever the version."""

    @property
    def name(self) -> str:
        """Its name in SOAP."""
        return self.spellings[Version.SOAP]

    @property
    def is_value_type(self) -> bool:
        """Whether .NET has a value type for it. The WSDL demands those; reference types may be left out."""
        return not isinstance(self.type, Structure) and self.type not in {Type.TEXT, Type.ID, Type.IDS}


@dataclass(frozen=True, slots=True)
class Structure:
    """A parameter with members of its own."""

    cls: type[FailureReason]
    """The class that it becomes; the WSDL calls the type by the same name."""
    members: tuple[Parameter, ...]


ParameterType: TypeAlias = Type | type[StrEnum] | Structure


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the Account Event Handler."""

    kind: Kind
    """Its name in SOAP, and the ``notificationType`` of a form post."""
    xml_push: str
    """The element that XML push sends for it."""
    parameters: tuple[Parameter, ...]
    """In the order of the WSDL."""
    xml_push_says: Mapping[str, str] = field(default_factory=dict)
    """What the element of XML push says by its name: texts by attribute, for which it has no child."""


@dataclass(frozen=True, slots=True)
class InboxOperation:
    """One operation of the inbox service."""

    name: str
    takes: Mapping[str, Type]
    """Its parameters, in the order of the WSDL."""
    gives: Literal["message", "messages"] | None
    """What is in its ``<Operation>Result``."""


def _row(
    attribute: str,
    type_: ParameterType,
    soap: str,
    form_post: str = "",
    xml_push: str = "",
    *misspellings: str,
    no_headers: str = "",
) -> Parameter:
    spellings = {
        Version.SOAP: soap,
        Version.SOAP_NO_HEADERS: no_headers or soap,
        Version.FORM_POST: form_post,
        Version.XML_PUSH: xml_push,
    }
    return Parameter(attribute, type_, {version: name for version, name in spellings.items() if name}, misspellings)


# fmt: off
CREDENTIALS: Final = (
    #    attribute   type       SOAP        form post   XML push
    _row("username", Type.TEXT, "Username", "username", "",          no_headers="username"),
    _row("password", Type.TEXT, "Password", "password", "",          no_headers="password"),
    _row("account",  Type.TEXT, "Account",  "account",  "AccountId", no_headers="account"),
)
"""The fields of the header in SOAP. The version without headers has them first in the operation."""

XML_PUSH_FRAME: Final = (
    #    attribute            type       SOAP form post   XML push
    _row("notification_id",   Type.ID,   "",  "",         "Id"),
    _row("account",           Type.TEXT, "",  "",         "AccountId"),
    _row("account_reference", Type.TEXT, "",  "",         "AccountReference"),
)
"""What the elements of XML push hold besides their parameters. Only ``OptOut`` has the account's reference too."""

XML_PUSH_SPELT_RIGHT: Final = {"ReceivedAt": "ReceviedAt"}
"""Names that the vendor's page misspells, by their right spelling, which may come too."""

FAILURE_REASON: Final = Structure(FailureReason, (
    #    attribute            type          SOAP                form post  XML push
    _row("code",              Type.NUMBER,  "code",             "",        "Code"),
    _row("description",       Type.TEXT,    "description",      "",        "Detail"),
    _row("permanent_failure", Type.BOOLEAN, "permanentfailure", "",        "PermanentFailure"),
))

_OPERATIONS: Final = (
    #    attribute         type            SOAP             form post      XML push       misspellings
    Operation(Kind.MESSAGE_RECEIVED, "InboundMessage", (
        _row("id",             Type.ID,        "id",            "id",          "MessageId"),
        _row("originator",     Type.TEXT,      "originator",    "originator",  "From"),
        _row("recipient",      Type.TEXT,      "recipient",     "recipient",   "To"),
        _row("body",           Type.TEXT,      "body",          "body",        "MessageText"),
        _row("type",           MessageType,    "type",          "type"),
        _row("sent_at",        Type.TIME,      "sentat",        "sentAt"),
        _row("received_at",    Type.TIME,      "receivedat",    "receivedAt"),
    )),
    Operation(Kind.MESSAGE_EVENT, "MessageDelivered", (
        _row("id",             Type.ID,        "id",            "id",          "MessageId"),
        _row("event_type",     EventType,      "eventtype",     "eventType"),
        _row("occurred_at",    Type.TIME,      "occurredat",    "occurredAt",  "OccurredAt",  "occuredat"),
    ), {"event_type": EventType.DELIVERED}),
    Operation(Kind.MESSAGE_ERROR, "MessageFailed", (
        _row("id",             Type.ID,        "id",            "id",          "MessageId"),
        _row("error_type",     ErrorType,      "errortype",     "errorType"),
        _row("occurred_at",    Type.TIME,      "occurredat",    "occurredAt",  "OccurredAt",  "occuredat"),
        _row("detail",         Type.TEXT,      "detail",        "detail"),
        _row("failure_reason", FAILURE_REASON, "failurereason", "",            "FailureReason"),
    ), {"error_type": ErrorType.FAILED}),
    Operation(Kind.SUBSCRIPTION_EVENT, "OptOut", (
        _row("mobile_number",  Type.TEXT,      "mobileNumber",  "mobileNumber", "From/PhoneNumber"),
        _row("contact_id",     Type.TEXT,      "contactID",     "contactID"),
        _row("event_code",     EventCode,      "eventCode",     "eventType"),
        _row("occurred_at",    Type.TIME,      "occurredAt",    "occurredAt",  "ReceviedAt", "occuredAt"),  # sic
    ), {"event_code": EventCode.UNSUBSCRIBE}),
)
# fmt: on

OPERATIONS: Final[Mapping[Kind, Operation]] = {each.kind: each for each in _OPERATIONS}
"""The operations of the Account Event Handler, in the order of the WSDL (contract, section 1)."""


class MessageStatus(StrEnum):
    """What the inbox says of a message besides its values."""

    QUEUED = "Queued"
    SENT = "Sent"
    DELIVERED = "Delivered"
    FAILED = "Failed"


# fmt: off
INBOX_MESSAGE: Final = (
    #    attribute      type           SOAP
    _row("id",          Type.ID,       "id"),
    _row("originator",  Type.TEXT,     "originator"),
    _row("recipient",   Type.TEXT,     "recipient"),
    _row("body",        Type.TEXT,     "body"),
    _row("sent_at",     Type.TIME,     "sentat"),
    _row("received_at", Type.TIME,     "receivedat"),
    _row("type",        MessageType,   "type"),
    _row("",            MessageStatus, "status"),
    _row("",            Type.TEXT,     "username"),
)
"""The fields of a ``message`` in the inbox (contract, section 2); they become a ``MessageReceived``."""

_DAY: Final = {"year": Type.NUMBER, "month": Type.NUMBER, "day": Type.NUMBER}
INBOX_OPERATIONS: Final = (
    #              name                 takes              gives
    InboxOperation("GetMessages",       {},                "messages"),
    InboxOperation("GetMessageByID",    {"id": Type.ID},   "message"),
    InboxOperation("GetMessagesByID",   {"ids": Type.IDS}, "messages"),
    InboxOperation("GetMessagesForDay", _DAY,              "messages"),
    InboxOperation("DeleteMessage",     {"id": Type.ID},   None),
    InboxOperation("DeleteMessages",    {"ids": Type.IDS}, None),
)
"""The operations of the inbox service, in the order of the WSDL (contract, section 2)."""
# fmt: on


def by_name(parameters: Iterable[Parameter], version: Version = Version.SOAP) -> dict[str, Parameter]:
    """Return the parameters that a version has, by every name under which they may come in it."""
    return {
        name: parameter
        for parameter in parameters
        if version in parameter.spellings
        for name in (parameter.spellings[version], *parameter.misspellings)
    }


def soap_action(operation: str) -> str:
    """Return the SOAPAction of an operation, without the quotes around it in the HTTP header."""
    return f"{NAMESPACE}/{operation}"


def wsdl_path(service: Literal["AccountEventHandler", "InboxService"]) -> Path:
    """Return the path of a bundled WSDL: inside the package when installed, beside it in a source tree."""
    package = Path(__file__).parent
    inside = package / "wsdl" / f"{service}.wsdl"
    return inside if inside.exists() else package.parent / "wsdl" / f"{service}.wsdl"
