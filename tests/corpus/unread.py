"""Names and places that are not the contract's: read where they have one meaning, else marked and kept."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from soap_handler.notifications import ZERO_ID, Kind
from tests.corpus.elements import EVERY_FIELD, absent
from tests.corpus.messages import Message, element, message, repaired_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TAG: Final = re.compile(rb"(</?)([\w-]+)")

GUIDS: Final[dict[str, Callable[[str], str]]] = {
    "braces": lambda guid: f"{{{guid}}}",
    "parentheses": lambda guid: f"({guid})",
    "urn": lambda guid: f"urn:uuid:{guid}",
    "32 digits": lambda guid: guid.replace("-", ""),
    "capitals in braces": lambda guid: f" {{{guid.upper()}}}\n",
}
TIMES: Final = (
    (Kind.MESSAGE_EVENT, "occurredat"),
    (Kind.MESSAGE_ERROR, "occurredat"),
    (Kind.SUBSCRIPTION_EVENT, "occurredAt"),
)


def _respelt(told: Message, change: Callable[[bytes], bytes]) -> Message:
    """Return the call with every name of its parameters, and of what is in them, in another letter case."""
    parts = {
        name: _TAG.sub(lambda match: match[1] + change(match[2]), part).replace(b"Http", b"http")
        for name, part in told.parts.items()
    }
    return replace(told, parts=parts)


def _named(told: Message, name: str, other: str) -> Message:
    return told.with_part(name, element(other, told.written(name)))


def _with_mark(told: Message, mark: str) -> Message:
    """Return the call with one mark before those of the absent value: what the face finds comes first."""
    return repaired_as(told, mark, *told.notification.repaired)


def _unread(told: Message, name: str) -> Iterator[tuple[str, Message]]:
    """Yield calls in which the text of one parameter stands where it is not read."""
    value = told.written(name)
    yield "renamed", _with_mark(absent(told, name).with_part(name, element(f"{name}X", value)), "unknown element")
    deeper = element("value", element(name, value))
    yield "one level deeper", _with_mark(absent(told, name).with_part(name, deeper), "unknown element")
    if b"<" in value:
        return
    as_attribute = f'<{name} value="{value.decode()}"/>'.encode()
    yield "as an attribute", _with_mark(absent(told, name).with_part(name, as_attribute), "attribute")
    loose = absent(told, name).with_part(name, b" " + value + b" ")
    yield "between the elements", _with_mark(loose, "text between elements")


def unread_parts() -> Iterator[tuple[str, Message]]:
    for kind in Kind:
        for case, change in {"capitals": bytes.upper, "small letters": bytes.lower, "swapped": bytes.swapcase}.items():
            yield f"{kind}: names in {case}", _respelt(message(kind, f"names in {case}"), change)
        told = message(kind, "header in small letters")
        yield f"{kind}: header in small letters", replace(told, header=_lowered(told.header))
    for kind, name in EVERY_FIELD:
        told = message(kind, f"{name} capitalised")
        yield f"{kind}.{name}: capitalised", _named(told, name, name[0].upper() + name[1:])
        for case in ("renamed", "one level deeper", "as an attribute", "between the elements"):
            unread = dict(_unread(message(kind, f"{name} {case}"), name)).get(case)
            if unread is not None:
                yield f"{kind}.{name}: {case}", unread
    for kind, name in TIMES:
        for spelt in ("occuredat", "occuredAt", "OccuredAt"):
            told = message(kind, f"{name} as {spelt}")
            yield f"{kind}: {name} as {spelt}", _named(told, name, spelt)
    for kind in (Kind.MESSAGE_RECEIVED, Kind.MESSAGE_EVENT, Kind.MESSAGE_ERROR):
        for case, write in GUIDS.items():
            told = message(kind, f"id with {case}")
            yield f"{kind}: id with {case}", told.with_content("id", write(str(told.identity)).encode())
        told = message(kind, "zero id in braces").with_content("id", f"{{{ZERO_ID}}}".encode())
        yield f"{kind}: zero id in braces", told.meaning(id=ZERO_ID)


def _lowered(header: bytes) -> bytes:
    return _TAG.sub(lambda match: match[1] + match[2].lower(), header)
