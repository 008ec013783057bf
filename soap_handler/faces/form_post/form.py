"""Reading of a form: from a request's bytes to the kind, the texts and the credentials. No HTTP, no accounts."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import parse_qsl

from soap_handler.accounts.accounts import Credentials
from soap_handler.contract import CREDENTIALS, FORM_PREFIX, NOTIFICATION_TYPE, OPERATIONS, Version, by_name
from soap_handler.errors import FormError
from soap_handler.faces.base import is_xml
from soap_handler.notifications import Kind
from soap_handler.xml.charsets import decode_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from soap_handler.contract import Parameter
    from soap_handler.receive.values import Fields

    Pairs: TypeAlias = list[tuple[str, str]]

UNKNOWN: Final = "unknown field"
REPEATED: Final = "repeated field"
"""Marks: a field that may be what a missing one was to say, and a second field of the same name."""

MAX_FIELDS: Final = 100
"""In a form. EMS sends eleven."""
_NOT_SET: Final = "0001-01-01T00:00:00"
_MAY_BE_MISSING: Final = "sent_at"  # contract, section 3; it is read as .NET's "not set", which is no repair


def plain_name(name: str) -> str:
    """Return a field's name in small letters and without the prefix that it may have."""
    return name.strip().lower().removeprefix(_PREFIX)


def _known(parameters: Iterable[Parameter]) -> dict[str, str]:
    """Return the attributes of parameters by the plain names of their fields."""
    named = by_name(parameters, Version.FORM_POST)
    return {plain_name(name): parameter.attribute for name, parameter in named.items()}


_PREFIX: Final = FORM_PREFIX.lower()
_KIND: Final = plain_name(NOTIFICATION_TYPE)
_KINDS: Final = {kind.value.lower(): kind for kind in Kind}
_CREDENTIALS: Final = _known(CREDENTIALS)
_PARAMETERS: Final = {kind: _known(operation.parameters) for kind, operation in OPERATIONS.items()}


@dataclass(frozen=True, slots=True)
class Form:
    """What a form says."""

    kind: Kind
    fields: Fields
    credentials: Credentials | None
    repaired: tuple[str, ...] = ()
    """Marks of what was repaired or not understood."""


def read_form(body: bytes, charset: str | None = None) -> Form:
    """Return what a form says. ``charset`` is that of its Content-Type, where it names one.

    Raises:
        FormError: it does not name one of the four notifications, or has too many fields.
    """
    if is_xml(body):
        raise FormError("The request is XML; expected a form")
    return form_of(*decoded_pairs(body, charset))


def form_of(pairs: Pairs, marks: tuple[str, ...] = ()) -> Form:
    """Return what a form of these fields says. ``marks`` are those of their decoding.

    Raises:
        FormError: it does not name one of the four notifications.
    """
    if not pairs:
        raise FormError("The request is empty; expected a form")
    texts: dict[str, str] = {}
    for name, text in pairs:
        if texts.setdefault(plain_name(name), text) != text:
            marks = (*marks, REPEATED)
    kind = _kind(texts.pop(_KIND, ""))
    fields = _picked(texts, _PARAMETERS[kind])
    if _may_hide_another(texts, kind, fields):
        marks = (*marks, UNKNOWN)
    if kind is Kind.MESSAGE_RECEIVED and not fields.get(_MAY_BE_MISSING):
        fields[_MAY_BE_MISSING] = _NOT_SET
    return Form(kind, fields, _credentials(_picked(texts, _CREDENTIALS)), tuple(dict.fromkeys(marks)))


def decoded_pairs(body: bytes, charset: str | None) -> tuple[Pairs, tuple[str, ...]]:
    """Return names and texts of a form's fields, and the marks of what was odd in their encoding.

    Raises:
        FormError: there are too many.
    """
    body = body.removeprefix(codecs.BOM_UTF8).strip()
    if body.isascii() and (charset is None or charset.lower() == "utf-8"):  # nearly all are so
        try:
            return _pairs(body, "utf-8"), ()
        except UnicodeDecodeError:
            pass  # it is in another charset, or damaged
    marks: dict[str, None] = {}
    raw = _pairs(body, "latin-1")  # latin-1 keeps the bytes
    whole = decode_value("\n".join(map("=".join, raw)).encode("latin-1"), charset)
    label = whole.codec if whole.codec == "cp1252" else charset  # one field alone may be valid UTF-8 by accident

    def text(field: str) -> str:
        decoded = decode_value(field.encode("latin-1"), label)
        marks.update(dict.fromkeys((*whole.repaired, *decoded.repaired)))
        return decoded.text

    return [(text(name), text(value)) for name, value in raw], tuple(marks)


def _pairs(body: bytes, codec: str) -> Pairs:
    try:
        return parse_qsl(
            body.decode("latin-1"), keep_blank_values=True, encoding=codec, errors="strict", max_num_fields=MAX_FIELDS
        )
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        raise FormError(f"The form has more than {MAX_FIELDS} fields") from error


def _kind(text: str) -> Kind:
    if not text.strip():
        raise FormError(f"The form has no {NOTIFICATION_TYPE}")
    try:
        return _KINDS[text.strip().lower()]
    except KeyError as error:
        raise FormError(f"The {NOTIFICATION_TYPE} is not one of the Account Event Handler") from error


def _picked(texts: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of the known fields by attribute. The right spelling counts before misspellings."""
    found: dict[str, str] = {}
    for name, attribute in known.items():
        if name in texts:
            found.setdefault(attribute, texts[name])
    return found


def _may_hide_another(texts: Mapping[str, str], kind: Kind, fields: Mapping[str, str]) -> bool:
    """Whether a field that is not known may be what a missing one was to say."""
    missing = {*_PARAMETERS[kind].values()} - fields.keys() - {_MAY_BE_MISSING}
    return bool(missing) and not texts.keys() <= _PARAMETERS[kind].keys() | _CREDENTIALS.keys()


def _credentials(fields: Mapping[str, str]) -> Credentials | None:
    if not fields:
        return None
    return Credentials(*(fields.get(each.attribute, "") for each in CREDENTIALS))
