"""Reading of a form: from a request's bytes to the kind, the texts and the credentials. No HTTP, no accounts."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import parse_qsl, unquote_plus

from soap_handler.accounts.authentication import Credentials
from soap_handler.contract import CREDENTIALS, FORM_PREFIX, NOTIFICATION_TYPE, OPERATIONS, Version, by_name
from soap_handler.errors import FormError
from soap_handler.faces.base import is_xml
from soap_handler.notifications import Kind, canonical_id, usable_id
from soap_handler.xml.charsets import decode_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from soap_handler.contract import Parameter
    from soap_handler.receive.push import Fields

    Pairs: TypeAlias = list[tuple[str, str]]

UNKNOWN: Final = "unknown field"
REPEATED: Final = "repeated field"
"""Marks: a field that may be what a missing one was to say, and a second field of the same name."""

MAX_FIELDS: Final = 100
"""In a form. EMS sends eleven."""
_NOT_SET: Final = "0001-01-01T00:00:00"
_NO_TIMES: Final = (_NOT_SET, _NOT_SET.replace("T", " "))
_NAME: Final = re.compile(r"[^\W\d][\w.:$\[\]-]*")  # a text behind a bare "&" has seldom one with a value
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
    doubtful: frozenset[str] = frozenset()
    """Attributes of which more than one text came."""


def read_form(body: bytes, charset: str | None = None) -> Form:
    """Return what a form says. ``charset`` is that of its Content-Type, where it names one.

    Raises:
        FormError: it does not name one of the four notifications, has none of its fields, or has too many fields.
    """
    if is_xml(body):
        raise FormError("The request is XML; expected a form")
    return form_of(*decoded_pairs(body, charset))


def form_of(pairs: Pairs, marks: tuple[str, ...] = ()) -> Form:
    """Return what a form of these fields says. ``marks`` are those of their decoding.

    Raises:
        FormError: it does not name one of the four notifications, or has none of its fields.
    """
    if not pairs:
        raise FormError("The request is empty; expected a form")
    texts: dict[str, str] = {}
    repeated: set[str] = set()
    for name, text in pairs:
        if texts.setdefault(plain_name(name), text) != text:
            marks = (*marks, REPEATED)
            repeated.add(plain_name(name))
    kind = _kind(texts.pop(_KIND, ""))
    known = _PARAMETERS[kind]
    fields = _picked(texts, known)
    if not fields:
        raise FormError(f"The form has none of the fields of {kind.value}")
    if _may_hide_another(pairs, kind, fields):
        marks = (*marks, UNKNOWN)
    if kind is Kind.MESSAGE_RECEIVED and not fields.get(_MAY_BE_MISSING):
        fields[_MAY_BE_MISSING] = _NOT_SET
    doubtful = frozenset(known[name] for name in repeated if name in known)
    return Form(kind, fields, _credentials(_picked(texts, _CREDENTIALS)), tuple(dict.fromkeys(marks)), doubtful)


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


def without_credentials(body: bytes) -> bytes:
    """Return a form as it came, without the fields of the credentials."""
    fields = body.split(b"&")
    names = (plain_name(unquote_plus(field.partition(b"=")[0].decode("latin-1"), "latin-1")) for field in fields)
    return b"&".join(field for field, name in zip(fields, names, strict=True) if name not in _CREDENTIALS)


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


def _may_hide_another(pairs: Pairs, kind: Kind, fields: Mapping[str, str]) -> bool:
    """Whether a field that is not known may be what a missing one was to say, or a part of another field's text.

    Without an id nothing but the whole content tells what it is, so then each such field counts.
    """
    known = {_KIND, *_PARAMETERS[kind], *_CREDENTIALS}
    unknown = [(name, text) for name, text in pairs if plain_name(name) not in known and (name or text)]
    if not unknown:
        return False
    return any(not text or not _NAME.fullmatch(name) for name, text in unknown) or any(
        _says_none(attribute, fields.get(attribute, "")) for attribute in ("id", *_PARAMETERS[kind].values())
    )


def _says_none(attribute: str, text: str) -> bool:
    text = text.strip()
    return not text or text.startswith(_NO_TIMES) or (attribute == "id" and not usable_id(canonical_id(text)))


def _credentials(fields: Mapping[str, str]) -> Credentials | None:
    if not fields:
        return None
    return Credentials(*(fields.get(each.attribute, "") for each in CREDENTIALS))
