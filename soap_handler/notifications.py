"""The four notifications of EMS as plain values, their identity and their stored form. No wire format, no database.

Times are aware UTC datetimes, or ``None`` where EMS sent none (``0001-01-01T00:00:00``) or nothing readable. Then
``original`` keeps the provider's own text.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping  # noqa: TC003 - the types of the attributes are read below
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from operator import attrgetter
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, get_args, get_type_hints
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable

ZERO_ID: Final = "00000000-0000-0000-0000-000000000000"
"""The all-zero GUID: a real value on the wire that means "none" (contract, section 4)."""


GUID_CHARACTERS: Final = 36
"""Of a GUID in its canonical form."""


TEST_ID: Final = "soap-handler-test-"
"""The beginning of the id of a test notification. Ids of EMS are GUIDs, so none begins like this."""


class OpenEnum(StrEnum):
    """An enumeration of the contract to which EMS may add values: an unknown one is kept as its text."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = value
        unknown._value_ = value
        return unknown

    @property
    def known(self) -> bool:
        """Whether the contract lists this value."""
        return self in type(self).__members__.values()


class Kind(StrEnum):
    """The four operations of the Account Event Handler."""

    MESSAGE_RECEIVED = "MessageReceived"
    MESSAGE_EVENT = "MessageEvent"
    MESSAGE_ERROR = "MessageError"
    SUBSCRIPTION_EVENT = "SubscriptionEvent"


class MessageType(OpenEnum):
    """Encoding of a message's body. ``Binary`` bodies are hex text."""

    TEXT = "Text"
    BINARY = "Binary"
    SMART_MESSAGE = "SmartMessage"
    UNICODE = "Unicode"


class EventType(OpenEnum):
    """What happened to a message that we sent. New values are announced as possible (contract, section 4)."""

    DELIVERED = "Delivered"


class ErrorType(OpenEnum):
    """Why a message that we sent could not be delivered."""

    FAILED = "Failed"
    UNRECOGNISED_RECIPIENT = "UnrecognisedRecipient"
    VALIDITY_PERIOD_EXPIRED = "ValidityPeriodExpired"


class EventCode(OpenEnum):
    """What happened to a premium-rate subscription."""

    SUBSCRIBE = "Subscribe"
    UNSUBSCRIBE = "Unsubscribe"
    RESUBSCRIBE = "Resubscribe"
    CONTINUE = "Continue"


@dataclass(frozen=True, slots=True)
class FailureReason:
    """Why a message failed, in the provider's numbers and words."""

    code: int | None = None
    description: str = ""
    permanent_failure: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notification(ABC):
    """The attributes that all four have, and their identity."""

    kind: ClassVar[Kind]

    account: str
    """The reference of the account, as the settings spell it, whichever of its names EMS used."""
    notification_id: str = ""
    """The provider's name for this notification, beside that of the message. Only XML push has one."""
    original: Mapping[str, str] = field(default_factory=dict)
    """The provider's text of each value that could not be read, or was read with a guess; by attribute name."""
    repaired: tuple[str, ...] = ()
    """Marks of what was repaired, or was left unread, in the request; empty for nearly all."""
    digest: str = ""
    """Digest of the operation as it came, where the key cannot rest on the values; empty for nearly all."""

    @property
    def key(self) -> str:
        """Idempotency key: equal for every copy of this notification. Make your own effects idempotent with it.

        It holds account, kind and message id, for events also what happened and when (design, decision 4). Without a
        usable id a digest of the content takes its place; where the values cannot be relied on, ``digest`` does
        (``receive/identity.py`` decides).
        """
        return "/".join((_segment(self.account), self.kind, *((self.digest,) if self.digest else self._identity())))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that sinks send: ``kind``, ``key`` and every attribute; ``None`` means no value.

        Times are RFC 3339 with ``Z``. A sink adds what only the delivery knows: ``stored_at`` and ``attempt``.
        """
        values = {**dict.fromkeys(_NAMES[type(self)]), "original": {}, "repaired": [], **stored_values(self)}  # type: ignore[index,arg-type] # every subclass is one of the union
        return {"kind": self.kind.value, "key": self.key, **values}

    @abstractmethod
    def _identity(self) -> tuple[str, ...]:
        """Return the part of the key that tells this notification from others of its account and kind."""

    def _content_digest(self) -> str:
        content = stored_values(self)  # type: ignore[arg-type] # every subclass is one of the union
        content.pop("repaired", None)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    def _occurrence(self, identity: str, what: str, when: datetime | None) -> tuple[str, ...]:
        """Return the identity of an event of a message: the message's id, what happened, and when."""
        if not usable_id(identity):
            return (self._content_digest(),)
        moment = instant(when) or self.original.get("occurred_at", "") or "none"
        return _segment(identity), _segment(what), _segment(moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived(_Notification):
    """A mobile-originated message that arrived in the account's inbox."""

    kind = Kind.MESSAGE_RECEIVED

    id: str
    originator: str = ""
    recipient: str = ""
    body: str = ""
    type: MessageType = MessageType.TEXT
    sent_at: datetime | None = None
    received_at: datetime | None = None

    def _identity(self) -> tuple[str, ...]:
        return (_segment(self.id),) if usable_id(self.id) else (self._content_digest(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEvent(_Notification):
    """A message that we sent was delivered (or had another event of the kind)."""

    kind = Kind.MESSAGE_EVENT

    id: str
    event_type: EventType = EventType.DELIVERED
    occurred_at: datetime | None = None

    def _identity(self) -> tuple[str, ...]:
        return self._occurrence(self.id, self.event_type, self.occurred_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageError(_Notification):
    """A message that we sent could not be delivered."""

    kind = Kind.MESSAGE_ERROR

    id: str
    error_type: ErrorType = ErrorType.FAILED
    occurred_at: datetime | None = None
    detail: str = ""
    failure_reason: FailureReason | None = None

    def _identity(self) -> tuple[str, ...]:
        return self._occurrence(self.id, self.error_type, self.occurred_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionEvent(_Notification):
    """A premium-rate subscription changed. It carries no message id, so its content is its identity."""

    kind = Kind.SUBSCRIPTION_EVENT

    mobile_number: str = ""
    contact_id: str = ""
    event_code: EventCode = EventCode.SUBSCRIBE
    occurred_at: datetime | None = None

    def _identity(self) -> tuple[str, ...]:
        return (self._content_digest(),)


Notification = MessageReceived | MessageEvent | MessageError | SubscriptionEvent

KINDS: dict[Kind, type[Notification]] = {
    Kind.MESSAGE_RECEIVED: MessageReceived,
    Kind.MESSAGE_EVENT: MessageEvent,
    Kind.MESSAGE_ERROR: MessageError,
    Kind.SUBSCRIPTION_EVENT: SubscriptionEvent,
}


def usable_id(text: str) -> bool:
    """Whether a message id names one message: not empty, not the all-zero GUID, at most 64 characters."""
    return bool(text) and text != ZERO_ID and len(text) <= _MAX_ID_CHARACTERS


def canonical_id(text: str) -> str:
    """Return a message id in the one form in which ids are compared: a GUID in lower case, with hyphens alone.

    Braces, ``urn:uuid:`` and a GUID of 32 digits are other spellings of it. Any other text is only lower-cased.
    """
    text = text.strip().lower()
    guid = _SPELT_GUID.fullmatch(text)
    return "-".join(guid.groups()) if guid else text


def is_guid(text: str) -> bool:
    """Whether a canonical id is a GUID, and not the all-zero one."""
    return text != ZERO_ID and _GUID.fullmatch(text) is not None


def stored(notification: Notification) -> tuple[str, str | None, str]:
    """Return what the journal keeps of a notification: its key, its message id, and itself (:func:`to_json`).

    The message id is ``None`` where there is none that names one message. A message whose id is in doubt has none
    either: nothing is deleted from the inbox on a guess.
    """
    identity = getattr(notification, "id", "")
    in_doubt = bool(notification.digest) and notification.kind is Kind.MESSAGE_RECEIVED
    return notification.key, identity if usable_id(identity) and not in_doubt else None, to_json(notification)


def key_under(account: str, key: str) -> str:
    """Return a key as it is under another name of the account, where it holds no digest of the values."""
    return "/".join((_segment(account), *key.split("/")[1:]))


def stored_values(notification: Notification) -> dict[str, Any]:
    """Return what is stored, as plain JSON values by attribute, without the empty ones that only few have."""
    return {
        name: value if type(value) is str else _plain(value)
        for name in _NAMES[type(notification)]
        if (value := getattr(notification, name)) or name not in _OMITTED_WHEN_EMPTY
    }


def to_json(notification: Notification) -> str:
    """Return the JSON of :func:`stored_values` in ASCII: NUL and lone surrogates survive any database as escapes."""
    if notification.repaired or notification.digest:
        return _JSON.encode(stored_values(notification))
    values, encoders = _ENCODERS[type(notification)]  # once for each push, so it is made for speed
    parts = [name + encode(value) for (name, encode), value in zip(encoders, values(notification), strict=True)]
    if (
        notification.original
    ):  # times of .NET have a digit more than Python keeps; in its place in stored_values, as below
        texts = [f"{_quoted(name)}:{_quoted(text)}" for name, text in notification.original.items()]
        parts.insert(1, f'"original":{{{",".join(texts)}}}')
    if notification.notification_id:
        parts.insert(1, f'"notification_id":{_quoted(notification.notification_id)}')
    return "{" + ",".join(parts) + "}"


def from_dict(kind: Kind, values: Mapping[str, Any]) -> Notification:
    """Return the notification of what :func:`stored_values` or ``to_dict()`` gave. Unknown names are left out."""
    cls = KINDS[kind]
    return cls(
        **{
            name: _native(name, value) if name in _CONVERTED else value
            for name in _NAMES[cls]
            if (value := values.get(name)) is not None
        }
    )


def plain_type(hint: Any) -> Any:  # noqa: ANN401 - whatever an attribute is annotated with
    """Return the type without the ``None`` that may stand beside it."""
    types = get_args(hint)
    return next(each for each in types if each is not NoneType) if NoneType in types else hint


_NAMES = {cls: tuple(spec.name for spec in dataclasses.fields(cls)) for cls in KINDS.values()}
_MAX_ID_CHARACTERS = 64
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_SPELT_GUID = re.compile(
    r"(?:urn:)?(?:uuid:)?[{(]?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})[)}]?", re.ASCII
)
_OMITTED_WHEN_EMPTY = frozenset({"notification_id", "original", "repaired", "digest"})
_TYPES = {
    spec.name: plain_type(hints[spec.name])
    for cls, hints in ((cls, get_type_hints(cls)) for cls in KINDS.values())
    for spec in dataclasses.fields(cls)
}
"""The type of each attribute, by name: one name has one type in all notifications."""
_ENUMS = {name: cls for name, cls in _TYPES.items() if isinstance(cls, type) and issubclass(cls, OpenEnum)}
_TIMES = frozenset(name for name, cls in _TYPES.items() if cls is datetime)
_STRUCTURES: dict[str, Any] = {name: cls for name, cls in _TYPES.items() if dataclasses.is_dataclass(cls)}
_CONVERTED = {*_TIMES, *_ENUMS, *_STRUCTURES, "repaired"}
_JSON = json.JSONEncoder(separators=(",", ":"))
_quoted = json.encoder.encode_basestring_ascii
_READABLE = re.compile(rf"[A-Za-z0-9_.~:+-]{{0,{_MAX_ID_CHARACTERS}}}")  # ``quote`` leaves these as they are


def _segment(text: str) -> str:
    """Make one path segment of a key: readable when short, a digest when long."""
    if _READABLE.fullmatch(text):
        return text
    quoted = quote(text, safe=":+", errors="surrogatepass")
    return quoted if len(quoted) <= _MAX_ID_CHARACTERS else hashlib.sha256(quoted.encode()).hexdigest()[:32]


def instant(when: datetime | None) -> str:
    """Return an instant as RFC 3339 in UTC, or the empty text for none."""
    if not when:
        return ""
    return (when if when.tzinfo is UTC else when.astimezone(UTC)).isoformat().replace("+00:00", "Z")


def _plain(value: Any) -> Any:  # noqa: ANN401 - any attribute of any notification
    match value:
        case datetime():
            return instant(value)
        case FailureReason():
            return dataclasses.asdict(value)
        case tuple():
            return list(value)
        case str():
            return str(value)
        case None | bool() | int():
            return value
        case _:
            return dict(value)


def _encoder(name: str) -> Callable[[Any], str]:
    """Return the function that makes JSON of the attributes of this name."""
    if name in _TIMES:
        return lambda when: f'"{instant(when)}"' if when else "null"
    if name in _ENUMS or _TYPES[name] is str:
        return _quoted
    return lambda value: _JSON.encode(_plain(value))


def _native(name: str, value: Any) -> Any:  # noqa: ANN401 - any attribute of any notification
    """Return the value of an attribute that is stored as something else."""
    if name in _TIMES:
        return datetime.fromisoformat(value)
    if name in _ENUMS:
        return _ENUMS[name](value)
    if name in _STRUCTURES:
        return _STRUCTURES[name](**value)
    return tuple(value)


def _encoders(cls: type[Notification]) -> tuple[attrgetter[Any], list[tuple[str, Callable[[Any], str]]]]:
    names = [name for name in _NAMES[cls] if name not in _OMITTED_WHEN_EMPTY]
    return attrgetter(*names), [(f'"{name}":', _encoder(name)) for name in names]


_ENCODERS = {cls: _encoders(cls) for cls in KINDS.values()}
"""By class: the getter of its attributes, and for each the text before it and the function that makes JSON of it."""
