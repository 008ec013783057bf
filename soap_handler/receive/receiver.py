"""The use case at the front door: authenticate, read the values, key. It knows no wire format and sends no answer.

It is the first half of a push, up to the commit. The commit and the answer are left to its caller.

An unreadable text is never refused: ``original`` keeps it, its value is ``None`` and ``repaired`` has a mark (design,
decision 2: EMS would push a refused notification for three days and then drop it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from soap_handler import clock
from soap_handler.contract import OPERATIONS, Structure, Type
from soap_handler.errors import AuthenticationError, CredentialsUncheckedError
from soap_handler.journal import Entry
from soap_handler.notifications import GUID_CHARACTERS, KINDS, canonical_id
from soap_handler.receive.identity import identified
from soap_handler.receive.odd_times import UnreadableError, read_odd_time
from soap_handler.receive.wrong_logins import WrongLogins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import tzinfo
    from enum import StrEnum

    from soap_handler.accounts.accounts import Accounts
    from soap_handler.accounts.authentication import Account
    from soap_handler.accounts.throttle import Throttle
    from soap_handler.contract import Parameter, ParameterType
    from soap_handler.notifications import Kind, Notification
    from soap_handler.receive.push import Fields, Push

# Times that Python's own reader takes, which is quicker: with an offset, and not of year 1.
_ISO_TIME: Final = re.compile(
    r"(?!0001)\d{4}-\d\d-\d\d[T ](?!24)\d\d:\d\d:\d\d(?:\.\d{1,6}(\d*))?"
    r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))",
    re.ASCII,
)
_WHOLE_NUMBER: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}

_T = TypeVar("_T")


class Receiver:
    """Turns pushes into entries for the journal. Thread-safe."""

    def __init__(
        self, accounts: Accounts, throttle: Throttle | None = None, now: Callable[[], datetime] = clock.now
    ) -> None:
        """``throttle`` slows wrong logins; the default one counts them and slows none."""
        self.accounts = accounts
        """May be replaced by others at any time; a push is checked against either the old or the new ones."""
        self._wrong_logins = WrongLogins(throttle)
        self._now = now

    def prepare(self, push: Push) -> Entry:
        """Do everything up to the commit: return what is to be recorded, all notifications of a request together.

        Raises:
            AuthenticationError: the caller is not EMS calling for one of our accounts. Counted and logged.
            CredentialsUncheckedError: that could not be found out now. Logged.
        """
        account = self._authenticate(push)
        now = self._now()
        others = tuple(_entry(other, account, now, number) for number, other in enumerate(push.others, 1))
        return _entry(push, account, now, 0, others)

    def _authenticate(self, push: Push) -> Account:
        accounts = self.accounts
        try:
            return accounts.authenticate(push.credentials, lambda pair: self._wrong_logins.may_check(push, pair))
        except CredentialsUncheckedError:
            self._wrong_logins.note_unchecked(push, accounts)
            raise
        except AuthenticationError as error:
            raise AuthenticationError(self._wrong_logins.note(push, accounts, computed=error.computed)) from None


def _entry(push: Push, account: Account, now: datetime, number: int, others: tuple[Entry, ...] = ()) -> Entry:
    """Return the entry of one notification. ``number`` is its place in the request."""
    notification = read_notification(
        push.kind,
        push.fields,
        account=account.reference,
        zone=account.time_zone,
        repaired=push.repaired,
        optional=push.optional,
    )
    envelope = None
    if notification.repaired:
        envelope = push.envelope()
        notification = identified(notification, lambda: push.operation(envelope), push.doubtful, number)
    return Entry(notification, now, envelope=envelope, others=others, caller=push.caller, api=push.api)


def read_notification(
    kind: Kind,
    fields: Fields,
    *,
    account: str,
    zone: tzinfo,
    repaired: tuple[str, ...] = (),
    optional: frozenset[str] = frozenset(),
) -> Notification:
    """Return the notification of these texts.

    ``zone`` holds for times that carry none; ``repaired`` are the marks of what the face repaired. ``optional`` are
    attributes that this version of the API may leave out: an absent one is empty or ``None``, without a mark.
    """
    reader = _Reader(fields, zone, optional, repaired=list(repaired))
    values = {name: read(reader, name) for name, read in _CONVERTERS[kind].items()}
    if "notification_id" in fields:  # of XML push alone
        values["notification_id"] = reader.identifier("notification_id")
    return KINDS[kind](account=account, original=reader.original, repaired=tuple(reader.repaired), **values)


@dataclass(slots=True)
class _Reader:
    """Reader of one notification's texts. It notes every text that it guessed at or could not read."""

    fields: Fields
    zone: tzinfo
    optional: frozenset[str]
    repaired: list[str]
    original: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def identifier(self, name: str) -> str:
        text = self.text(name).strip().lower()
        return text if len(text) == GUID_CHARACTERS else canonical_id(text)  # nearly all are canonical

    def time(self, name: str) -> datetime | None:
        text = self.text(name).strip()
        if not text:
            self.note_missing(name)
            return None
        try:
            instant, exact = read_time(text, self.zone)
        except UnreadableError:
            self._note_unreadable(name, text)
            return None
        if not exact:
            self.original[name] = text
        return instant

    def _note_unreadable(self, name: str, text: str) -> None:
        if text:
            self.original[name] = text
            self.repaired.append(f"{name} unreadable")
        else:
            self.note_missing(name)

    def note_missing(self, name: str) -> None:
        if name not in self.optional:
            self.repaired.append(f"{name} missing")

    def number(self, name: str) -> int | None:
        return self._value(name, read_number)

    def boolean(self, name: str) -> bool | None:
        return self._value(name, read_boolean)

    def _value(self, name: str, read: Callable[[str], _T]) -> _T | None:
        text = self.text(name).strip()
        try:
            return read(text)
        except UnreadableError:
            self._note_unreadable(name, text)
            return None

    def inside(self, name: str) -> _Reader | None:
        """Return a reader of a structure's members; EMS may leave it out, since it is a reference type in the WSDL."""
        fields = self.fields.get(name)
        return (
            _Reader(fields, self.zone, self.optional, self.repaired, self.original)
            if isinstance(fields, Mapping)
            else None
        )


def read_time(text: str, zone: tzinfo) -> tuple[datetime | None, bool]:
    """Read a dateTime as .NET writes it (contract, section 4); the flag says that nothing was guessed or cut off.

    Fraction digits beyond microseconds are cut, and seconds may be left out. Without ``Z`` or an offset, a zone in
    brackets holds (``[Europe/London]``), or else ``zone``. A space may stand for the ``T``, as in form posts. Year 1 is
    .NET for "not set" and gives ``None``.

    Raises:
        UnreadableError: the text is no date and time; or the day, hour or zone does not exist.
    """
    iso = _ISO_TIME.fullmatch(text)
    if iso:
        try:
            return datetime.fromisoformat(text).astimezone(UTC), not (iso[1] or "").strip("0")
        except (ValueError, OverflowError):
            pass  # read_odd_time finds out why; contextlib.suppress would take as long as the reading itself
    return read_odd_time(text, zone)


def read_number(text: str) -> int:
    """Read a whole number.

    Raises:
        UnreadableError: the text is no whole number.
    """
    if not _WHOLE_NUMBER.fullmatch(text):
        raise UnreadableError(text)
    return int(text)


def read_boolean(text: str) -> bool:
    """Read a boolean, in XML Schema's spelling or in .NET's (``True``).

    Raises:
        UnreadableError: the text is no boolean.
    """
    try:
        return _BOOLEANS[text.lower()]
    except KeyError as error:
        raise UnreadableError(text) from error


_Converter: TypeAlias = "Callable[[_Reader, str], Any]"
"""Makes the value of an attribute, from the reader and the attribute's name."""

_SIMPLE: Final[dict[Type, _Converter]] = {
    Type.TEXT: _Reader.text,
    Type.ID: _Reader.identifier,
    Type.TIME: _Reader.time,
    Type.NUMBER: _Reader.number,
    Type.BOOLEAN: _Reader.boolean,
}


def _enumeration(cls: type[StrEnum]) -> _Converter:
    """Return a converter that keeps an unknown value as its text; an absent one becomes the empty text, with a mark."""
    known = {member.value: member for member in cls}  # quicker than to call the class

    def read(reader: _Reader, name: str) -> StrEnum:
        text = reader.text(name).strip()
        if not text:
            reader.note_missing(name)
        return known.get(text) or cls(text)

    return read


def _structure(structure: Structure) -> _Converter:
    members = _converters(structure.members)

    def read(reader: _Reader, name: str) -> Any:  # noqa: ANN401 - of the structure's class
        inner = reader.inside(name)
        if inner is None:
            return None
        return structure.cls(**{member: convert(inner, member) for member, convert in members.items()})

    return read


def _converter(kind: ParameterType) -> _Converter:
    if isinstance(kind, Type):
        return _SIMPLE[kind]
    return _structure(kind) if isinstance(kind, Structure) else _enumeration(kind)


def _converters(parameters: Iterable[Parameter]) -> dict[str, _Converter]:
    return {parameter.attribute: _converter(parameter.type) for parameter in parameters}


_CONVERTERS: Final = {kind: _converters(operation.parameters) for kind, operation in OPERATIONS.items()}
