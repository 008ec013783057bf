"""Elements that are missing, repeated, typed, nil, or in another namespace: every element of every operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from soap_handler.notifications import ZERO_ID, FailureReason, Kind
from tests.corpus.messages import FIELDS, XSI, Message, element, message, repaired_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NIL: Final = f'{XSI} xsi:nil="true"'
EVERY_FIELD: Final = tuple((kind, name) for kind, fields in FIELDS.items() for name in fields)


def absent(told: Message, name: str) -> Message:
    """Return what the message means when this element says nothing."""
    attribute = FIELDS[told.kind][name]
    value = getattr(told.notification, attribute)
    if isinstance(value, FailureReason):
        return told.meaning(failure_reason=None)
    if attribute.endswith("_at"):
        return repaired_as(told, f"{attribute} missing", **{attribute: None})
    if attribute in {"type", "event_type", "error_type", "event_code"}:
        return repaired_as(told, f"{attribute} missing", **{attribute: type(value)("")})
    return told.meaning(**{attribute: ""})


VARIANTS: Final[dict[str, Callable[[Message, str], Message]]] = {
    "missing": lambda told, name: absent(told.with_part(name, b""), name),
    "empty": lambda told, name: absent(told.with_part(name, f"<{name}/>".encode()), name),
    "nil": lambda told, name: absent(told.with_part(name, f"<{name} {NIL}/>".encode()), name),
    "typed": lambda told, name: told.with_part(
        name, element(name, told.written(name), f'{XSI} xsi:type="xsd:whatever"')
    ),
    "repeated": lambda told, name: repaired_as(
        told.with_part(name, told.parts[name] + element(name, b"2")), "repeated element"
    ),
    "no namespace": lambda told, name: _foreign(told, name, 'xmlns=""'),
    "another namespace": lambda told, name: _foreign(told, name, 'xmlns="urn:other"'),
    "undeclared prefix": lambda told, name: repaired_as(
        told.with_part(name, element(f"u:{name}", told.written(name).replace(b"<", b"<u:").replace(b"<u:/", b"</u:"))),
        "undeclared prefix",
        "namespace",
    ),
    "undeclared type": lambda told, name: repaired_as(
        told.with_part(name, element(name, told.written(name), 'xsi:type="xsd:string"')), "undeclared prefix"
    ),
}


def _foreign(told: Message, name: str, attributes: str) -> Message:
    return repaired_as(told.with_part(name, element(name, told.written(name), attributes)), "namespace")


def odd_elements() -> Iterator[tuple[str, Message]]:
    for shape, change in VARIANTS.items():
        for kind, name in EVERY_FIELD:
            told = message(kind, f"{name} in the shape {shape}")
            yield f"{kind}.{name}: {shape}", change(told, name)
    for kind in (Kind.MESSAGE_RECEIVED, Kind.MESSAGE_EVENT, Kind.MESSAGE_ERROR):
        told = message(kind, "zero id").with_content("id", ZERO_ID.encode())
        yield f"{kind}.id: zero", told.meaning(id=ZERO_ID)
    for kind in (Kind.MESSAGE_EVENT, Kind.MESSAGE_ERROR):
        told = message(kind, "occuredat")
        yield f"{kind}: occuredat", told.with_part("occurredat", told.parts["occurredat"].replace(b"curr", b"cur"))
