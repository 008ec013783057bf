"""Times, enumerations, numbers and booleans that cannot be read."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from soap_handler.notifications import FailureReason, Kind
from tests.corpus.messages import FIELDS, Message, element, message, repaired_as

if TYPE_CHECKING:
    from collections.abc import Iterator

TIME_FIELDS: Final = (
    (Kind.MESSAGE_RECEIVED, "sentat"),
    (Kind.MESSAGE_RECEIVED, "receivedat"),
    (Kind.MESSAGE_EVENT, "occurredat"),
    (Kind.MESSAGE_ERROR, "occurredat"),
    (Kind.SUBSCRIPTION_EVENT, "occurredAt"),
)
UNREADABLE_TIMES: Final = {
    "words": "yesterday",
    "month 13": "2008-13-01T00:00:00Z",
    "30 February": "2008-02-30T00:00:00Z",
    "half past 24": "2008-06-12T24:30:00Z",
    "second 61": "2008-06-12T10:15:61Z",
    "year 0": "0000-01-01T00:00:00Z",
    "five digits": "12008-06-12T10:15:30Z",
    "before Christ": "-0044-03-15T12:00:00Z",
    "offset": "2008-06-12T10:15:30+99:99",
    "seconds since 1970": "1213261530",
    "slashes": "12/06/2008 10:15:30",
    "date only": "2008-06-12",
    "year 1 and below": "0001-01-02T00:00:00+23:59:59",
    "control": "2008-06-12\x01T10:15:30Z",
}

ENUMERATIONS: Final = (
    (Kind.MESSAGE_RECEIVED, "type"),
    (Kind.MESSAGE_EVENT, "eventtype"),
    (Kind.MESSAGE_ERROR, "errortype"),
    (Kind.SUBSCRIPTION_EVENT, "eventCode"),
)
UNKNOWN_VALUES: Final[dict[str, tuple[bytes, str, tuple[str, ...]]]] = {
    "new": (b"Rejected", "Rejected", ()),
    "lower case": (b"text", "text", ()),
    "a number": (b"7", "7", ()),
    "control": (b"Te&#2;xt", "Te\x02xt", ("control character",)),
    "long": (b"x" * 2000, "x" * 2000, ()),
    "nothing in it": (b"", "", ("{} missing",)),
    "white space": (b" \n ", "", ("{} missing",)),
}

NUMBERS: Final = ("many", "0x1B", "1.5", "1e3", "\u0661", "-", "9" * 30, "27;")
BOOLEANS: Final = ("maybe", "yes", "2", "vrai", "truefalse", "0.0", "null", "t")


def wrong_values() -> Iterator[tuple[str, Message]]:
    for kind, name in TIME_FIELDS:
        attribute = FIELDS[kind][name]
        for case, text in UNREADABLE_TIMES.items():
            told = message(kind, f"{name} {case}").with_content(name, text.encode())
            repaired = (*(["control character"] if "\x01" in text else []), f"{attribute} unreadable")
            yield (
                f"{kind}.{name}: {case}",
                repaired_as(told, *repaired, **{attribute: None}, original={attribute: text}),
            )
        told = message(kind, f"{name} year 1").with_content(name, b"0001-01-01T00:00:00")
        yield f"{kind}.{name}: year 1", told.meaning(**{attribute: None})
    for kind, name in ENUMERATIONS:
        attribute = FIELDS[kind][name]
        for case, (wire, value, repaired) in UNKNOWN_VALUES.items():
            told = message(kind, f"{name} {case}").with_content(name, wire)
            enumeration = type(getattr(told.notification, attribute))
            words = [word.format(attribute) for word in repaired]
            yield f"{kind}.{name}: {case}", repaired_as(told, *words, **{attribute: enumeration(value)})


def _without(reason: FailureReason, attribute: str) -> FailureReason:
    values: dict[str, Any] = asdict(reason) | {attribute: None}
    return FailureReason(**values)


def wrong_reasons() -> Iterator[tuple[str, Message]]:
    for name, texts in (("code", NUMBERS), ("permanentfailure", BOOLEANS)):
        attribute = {"code": "code", "permanentfailure": "permanent_failure"}[name]
        for text in texts:
            members = {"code": "3", "permanentfailure": "true", name: text}
            wire = b"".join(element(member, value.encode()) for member, value in members.items())
            told = message(Kind.MESSAGE_ERROR, f"{name} {text}").with_content("failurereason", wire)
            reason = _without(FailureReason(3, "", permanent_failure=True), attribute)
            what: dict[str, Any] = {"failure_reason": reason, "original": {attribute: text}}
            yield f"failurereason.{name}: {text}", repaired_as(told, f"{attribute} unreadable", **what)
    told = message(Kind.MESSAGE_ERROR, "text as reason").with_content("failurereason", b"it was off")
    yield "failurereason: text", repaired_as(told, "markup in a value", failure_reason=None)
