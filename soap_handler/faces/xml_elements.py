"""Reading of an element of XML push: from a request's bytes to texts by attribute. It knows no account and no HTTP.

No understandable form is refused. What departs from the vendor's form, or is left unread, leaves a mark.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from soap_handler.contract import (
    OPERATIONS,
    XML_PUSH_FRAME,
    XML_PUSH_SPELT_RIGHT,
    Structure,
    Type,
    Version,
    by_name,
)
from soap_handler.errors import DoctypeError, LimitExceededError, MalformedError
from soap_handler.faces.unread import ATTRIBUTE, LOOSE_TEXT, UNKNOWN
from soap_handler.notifications import Kind
from soap_handler.xml.parser import Limits, read_document
from soap_handler.xml.repair import restore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lxml.etree import _Element as Element

    from soap_handler.contract import Parameter
    from soap_handler.receive.push import Fields
    from soap_handler.xml.parser import Document

FOREIGN: Final = "namespace"
REPEATED: Final = "repeated element"
MARKUP: Final = "markup in a value"
SPELLING: Final = "spelling"
NO_ID: Final = "id missing"
"""Marks of departures from the vendor's form."""

_SCHEMA_INSTANCE: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_NO_ZONE: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?", re.ASCII)
_FRAME: Final = frozenset(each.attribute for each in XML_PUSH_FRAME)


class NotUnderstoodError(ValueError):
    """A request is no element of XML push. The text says why, in words for its sender."""


@dataclass(frozen=True, slots=True)
class Form:
    """One element of XML push: what it stands for, and what may be in it."""

    name: str
    kind: Kind
    known: Mapping[str, Parameter]
    """Its descendants by path, such as ``From/PhoneNumber``."""
    says: Mapping[str, str]
    """What its name says: texts by attribute."""
    optional: frozenset[str] = frozenset()
    """Attributes for which it has no descendant."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one request says."""

    kind: Kind
    fields: Fields
    accounts: tuple[str, ...]
    """The names of the account that it gives."""
    repaired: tuple[str, ...]
    optional: frozenset[str]
    doubtful: frozenset[str]
    """Attributes that came more than once."""


def _names(kind: Kind) -> dict[str, Parameter]:
    known = by_name((*XML_PUSH_FRAME, *OPERATIONS[kind].parameters), Version.XML_PUSH)
    return known | {right: known[wrong] for right, wrong in XML_PUSH_SPELT_RIGHT.items() if wrong in known}


def _form(kind: Kind) -> Form:
    operation = OPERATIONS[kind]
    return Form(
        operation.xml_push,
        kind,
        _names(kind),
        operation.xml_push_says,
        frozenset(each.attribute for each in operation.parameters if Version.XML_PUSH not in each.spellings),
    )


def _subscription_event() -> Form:
    """Return the form of an element of which the vendor tells nothing: every spelling of any version is taken."""
    parameters = OPERATIONS[Kind.SUBSCRIPTION_EVENT].parameters
    known = _names(Kind.SUBSCRIPTION_EVENT)
    for version in Version:
        known = by_name(parameters, version) | known
    return Form(Kind.SUBSCRIPTION_EVENT.value, Kind.SUBSCRIPTION_EVENT, known, {})


FORMS: Final = {form.name: form for form in (*map(_form, Kind), _subscription_event())}
"""Every element of XML push, by its name."""

_FORMS_BY_LOWER: Final = {name.lower(): form for name, form in FORMS.items()}


def read_pushed(body: bytes, label: str | None = None, limits: Limits = Limits()) -> Pushed:  # noqa: B008 - frozen
    """Return what a request says. ``label`` is the charset of its Content-Type, where it names one.

    Raises:
        NotUnderstoodError: the bytes are no XML, or their root is no element of XML push.
    """
    document = _read(body, label, limits)
    name = _local_name(document.root)
    form = _FORMS_BY_LOWER.get(name.lower())
    if form is None:
        raise NotUnderstoodError(f"The root element is none of XML push; expected one of {', '.join(FORMS)}")
    reader = _Reader(document)
    reader.mark(SPELLING, name != form.name)
    found = reader.texts(document.root, form.known)
    if not found:
        raise NotUnderstoodError("The element has none of its parts")
    if any(each.type is Type.ID and each.attribute == "id" for each in form.known.values()):
        reader.mark(NO_ID, not str(found.get("id") or "").strip())
    fields = {**form.says, **{name: text for name, text in found.items() if name not in _FRAME}}
    fields["notification_id"] = found.get("notification_id") or ""
    accounts = tuple(str(found[name]) for name in ("account", "account_reference") if found.get(name))
    doubtful = frozenset(reader.doubtful)
    return Pushed(form.kind, fields, accounts, tuple(reader.marks), form.optional, doubtful)


def _read(body: bytes, label: str | None, limits: Limits) -> Document:
    if not body.strip():
        raise NotUnderstoodError("The request is empty; expected an element of XML push")
    try:
        document = read_document(body, label, limits)
    except DoctypeError as error:
        raise NotUnderstoodError("The request has a document type declaration, which is not taken") from error
    except MalformedError as error:
        raise NotUnderstoodError("The request is not well-formed XML") from error
    except LimitExceededError as error:
        raise NotUnderstoodError(str(error)) from error
    return document


class _Reader:
    """Reader of one document's texts. Its marks are in ``marks``."""

    def __init__(self, document: Document) -> None:
        self._escaped = document.escaped
        self.marks = dict.fromkeys(document.repaired)
        """Each once, in the order in which they were found."""
        self.doubtful: set[str] = set()
        """Attributes that came more than once."""
        self._mark_odd(document.root)

    def mark(self, mark: str, found: object) -> None:
        """Set a mark if something of its kind was found."""
        if found:
            self.marks[mark] = None

    def texts(self, parent: Element, known: Mapping[str, Parameter], path: str = "") -> dict[str, str | Fields | None]:
        """Return the texts of the known descendants by attribute. The first of repeated ones counts."""
        self.mark(LOOSE_TEXT, _loose_text(parent))
        found: dict[str, str | Fields | None] = {}
        for child in parent:
            self._mark_odd(child)
            name = path + _local_name(child)
            parameter = self._known(name, known)
            if parameter is not None:
                self._add(found, {parameter.attribute: self._content(child, parameter)})
            elif len(child) and any(each.lower().startswith(f"{name.lower()}/") for each in known):
                self._add(found, self.texts(child, known, f"{name}/"))
            else:
                self.marks[UNKNOWN] = None
        return found

    def _add(self, found: dict[str, str | Fields | None], more: Mapping[str, str | Fields | None]) -> None:
        twice = found.keys() & more.keys()
        self.mark(REPEATED, twice)
        self.doubtful |= twice
        found.update({name: text for name, text in more.items() if name not in found})

    def _known(self, name: str, known: Mapping[str, Parameter]) -> Parameter | None:
        if name in known:
            return known[name]
        parameter = next((each for spelling, each in known.items() if spelling.lower() == name.lower()), None)
        self.mark(SPELLING, parameter)
        return parameter

    def _content(self, child: Element, parameter: Parameter) -> str | Fields | None:
        if isinstance(parameter.type, Structure):
            return self._structure(child, parameter.type.members)
        self.mark(MARKUP, len(child))  # its tags are dropped, and its text is kept
        text = "".join(map(str, child.itertext())) if len(child) else child.text or ""
        text = restore(text) if self._escaped else text
        return in_utc(text) if parameter.type is Type.TIME else text

    def _structure(self, element: Element, members: Iterable[Parameter]) -> Fields | None:
        if len(element):
            return self.texts(element, by_name(members, Version.XML_PUSH))
        self.mark(MARKUP, (element.text or "").strip())  # a text in place of members: none of them is there
        return None

    def _mark_odd(self, element: Element) -> None:
        self.mark(FOREIGN, str(element.tag).startswith("{"))
        self.mark(ATTRIBUTE, any(not str(name).startswith(_SCHEMA_INSTANCE) for name in element.keys()))  # noqa: SIM118 - lxml's


def in_utc(text: str) -> str:
    """Return a time with the zone that it has in XML push where it names none: UTC, by the contract and no guess."""
    text = text.strip()
    return f"{text}Z" if _NO_ZONE.fullmatch(text) else text


def _loose_text(parent: Element) -> bool:
    return any(text and text.strip() for text in (parent.text, *(child.tail for child in parent)))


def _local_name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
