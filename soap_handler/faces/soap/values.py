"""Texts of a call's credentials and parameters by attribute, in any place and form that SOAP stacks give them.

For the conversion of the texts, see ``receive/values.py``. No understandable form is refused; each departure from the
WSDL leaves a mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from soap_handler.accounts.accounts import Credentials
from soap_handler.contract import (
    CREDENTIALS,
    MESSENGER_HEADER,
    NAMESPACE,
    OPERATIONS,
    Structure,
    Version,
    by_name,
)
from soap_handler.faces.credentials import presented
from soap_handler.faces.soap.positions import names_by_position
from soap_handler.faces.soap.rpc_encoded import REFERENCES, STYLES, References, decoded_text, members
from soap_handler.notifications import Kind
from soap_handler.xml.repair import restore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lxml.etree import _Element as Element

    from soap_handler.contract import Parameter
    from soap_handler.faces.soap.envelope import Envelope
    from soap_handler.receive.values import Fields

RPC_ENCODED: Final = "encoded call"
POSITIONAL: Final = "positional call"
FOREIGN: Final = "namespace"
REPEATED: Final = "repeated element"
MARKUP: Final = "markup in a value"
OTHERS: Final = "repeated operation"
"""Marks of departures from the WSDL."""

_OURS: Final = f"{{{NAMESPACE}}}"
_OPERATION_NAMES: Final = frozenset(kind.value for kind in OPERATIONS)
_PARAMETERS: Final = {kind: by_name(operation.parameters) for kind, operation in OPERATIONS.items()}
_IN_HEADER: Final = by_name(CREDENTIALS)
_IN_OPERATION: Final = by_name(CREDENTIALS, Version.SOAP_NO_HEADERS)


def read_call(envelope: Envelope, kind: Kind) -> tuple[Credentials | None, Fields, tuple[str, ...]]:
    """Return the credentials, the texts of the parameters that came, and the marks of what was repaired.

    Raises:
        Fault: a value is given by a reference that cannot be followed.
    """
    values = Values(envelope)
    return values.credentials(), values.parameters(kind), values.repaired


class Values:
    """Reader of one envelope's texts. Its marks are in ``repaired``."""

    def __init__(self, envelope: Envelope) -> None:
        """Look for the operation, which a reference may give.

        Raises:
            Fault: that reference cannot be followed.
        """
        self._envelope = envelope
        self._references: References | None = None
        around = (envelope.operation, *envelope.operation.iterancestors())
        self._rpc_encoded = any(element.get(style) is not None for element in around for style in STYLES)
        self._marks = dict.fromkeys(envelope.repaired)
        if self._rpc_encoded:
            self._marks[RPC_ENCODED] = None
        self._positions = self._find_positions(self._follow(envelope.operation))
        if self._positions:
            self._marks[POSITIONAL] = None

    @property
    def repaired(self) -> tuple[str, ...]:
        """Marks of what was repaired, each once."""
        return tuple(self._marks)

    def credentials(self) -> Credentials | None:
        """Return the credentials of the header, or else those before the parameters; ``None`` without either.

        The version without headers has them there (contract, section 3). A header that is nil or empty counts as none.

        Raises:
            Fault: a value is given by a reference that cannot be followed.
        """
        blocks = [block for block in self._envelope.header if _local_name(block) == MESSENGER_HEADER]
        in_header = None
        if blocks:
            block = next((block for block in blocks if block.tag == _OURS + MESSENGER_HEADER), blocks[0])
            self._mark_namespace(str(block.tag))
            in_header = _credentials(self._fields(self._follow(block), _IN_HEADER))
        if in_header and (in_header.username or in_header.password):
            return in_header
        fields = self._fields(self._follow(self._envelope.operation), _IN_OPERATION)
        return presented(in_header, _credentials(fields))

    def parameters(self, kind: Kind) -> Fields:
        """Return the texts of those of the operation's parameters that came.

        Raises:
            Fault: a value is given by a reference that cannot be followed.
        """
        self._mark_namespace(str(self._envelope.operation.tag))
        if any(_local_name(other) in _OPERATION_NAMES for other in self._envelope.others):
            self._marks[OTHERS] = None  # the first is stored as values; the envelope that is kept has all of them
        return self._fields(self._follow(self._envelope.operation), _PARAMETERS[kind])

    def _find_positions(self, operation: Element) -> Mapping[str, str]:
        """Return the names of parameters by the names of elements, where the first of these is not the contract's."""
        kind = Kind(self._envelope.operation_name)
        names = [_local_name(child) for child in operation]
        if not names or names[0] in _PARAMETERS[kind]:
            return {}
        return names_by_position(names, OPERATIONS[kind])

    def _follow(self, element: Element) -> Element:
        """Return the element that holds a value: this one, or the one to which it refers."""
        if all(element.get(reference) is None for reference in REFERENCES):
            return element
        envelope = self._envelope
        self._references = self._references or References((*envelope.header, envelope.operation, *envelope.others))
        return self._references.follow(element)

    def _fields(self, parent: Element, known: Mapping[str, Parameter]) -> Fields:
        """Return the texts of the wanted children, in any order and any namespace; a structure is a mapping.

        The first of repeated children counts, and a child in the contract's namespace counts before others.
        """
        ours: dict[str, tuple[Parameter, Element]] = {}
        others: dict[str, tuple[Parameter, Element]] = {}
        for tag, child in members(parent) if self._rpc_encoded else _children(parent):
            name = tag.rpartition("}")[2]
            parameter = known.get(self._positions.get(name, name))
            if parameter is not None:
                self._add(ours if tag.startswith(_OURS) else others, parameter, child)
        self._mark(ours, others)
        return {name: self._content(child, parameter) for name, (parameter, child) in (others | ours).items()}

    def _add(self, found: dict[str, tuple[Parameter, Element]], parameter: Parameter, child: Element) -> None:
        if parameter.attribute in found:
            self._marks[REPEATED] = None
        else:
            found[parameter.attribute] = parameter, child

    def _mark(self, ours: Mapping[str, Any], others: Mapping[str, Any]) -> None:
        if ours.keys() & others.keys():
            self._marks[REPEATED] = None
        if others and not self._rpc_encoded:  # the parameters of an rpc/encoded call have no namespace
            self._marks[FOREIGN] = None

    def _mark_namespace(self, tag: str) -> None:
        if not tag.startswith(_OURS):
            self._marks[FOREIGN] = None

    def _content(self, child: Element, parameter: Parameter) -> str | Fields | None:
        structure = parameter.type if isinstance(parameter.type, Structure) else None
        if structure is None and not len(child) and not child.keys():  # nearly all are so
            return self._restored(child.text or "")
        element = self._follow(child)
        if self._references is not None:
            self._marks[RPC_ENCODED] = None
        return self._text(element) if structure is None else self._structure(element, structure)

    def _text(self, element: Element) -> str:
        if len(element):  # its tags are dropped, and its text is kept
            self._marks[MARKUP] = None
        text, marks = decoded_text(element, "".join(map(str, element.itertext())))
        self._marks.update(dict.fromkeys(marks))
        return self._restored(text)

    def _structure(self, element: Element, structure: Structure) -> Fields | None:
        if len(element):
            return self._fields(element, by_name(structure.members))
        if (element.text or "").strip():
            self._marks[MARKUP] = None  # a text in place of members: none of them is there
        return None

    def _restored(self, text: str) -> str:
        return restore(text) if self._envelope.escaped else text


def _local_name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _children(parent: Element) -> Iterable[tuple[str, Element]]:
    return ((str(child.tag), child) for child in parent)


def _credentials(fields: Fields) -> Credentials:
    return Credentials(**{each.attribute: str(fields.get(each.attribute) or "") for each in CREDENTIALS})
