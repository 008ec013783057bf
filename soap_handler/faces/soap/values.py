"""Texts of a call's credentials and parameters by attribute, in any place and form that SOAP stacks give them.

A call in the usual form does not come here: ``envelope.py`` reads it. For the conversion of the texts, see
``receive/receiver.py``. No understandable form is refused; each departure from the WSDL leaves a mark, but for the
letter case of names, which has one possible meaning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from soap_handler.accounts.authentication import Credentials
from soap_handler.contract import (
    CREDENTIALS,
    MESSENGER_HEADER,
    NAMESPACE,
    OPERATIONS,
    Structure,
    Type,
    Version,
    by_name,
)
from soap_handler.faces.credentials import has_login, presented
from soap_handler.faces.soap.faults import client_fault
from soap_handler.faces.soap.positions import names_by_position
from soap_handler.faces.soap.rpc_encoded import REFERENCES, STYLES, References, decoded_text, members
from soap_handler.faces.soap.service import ReadCall
from soap_handler.faces.unread import unread
from soap_handler.notifications import Kind
from soap_handler.xml.repair import restore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lxml.etree import _Element as Element

    from soap_handler.contract import Parameter
    from soap_handler.faces.soap.envelope import Envelope
    from soap_handler.receive.push import Fields

RPC_ENCODED: Final = "encoded call"
POSITIONAL: Final = "positional call"
FOREIGN: Final = "namespace"
REPEATED: Final = "repeated element"
MARKUP: Final = "markup in a value"
"""Marks of departures from the WSDL."""

_OURS: Final = f"{{{NAMESPACE}}}"
_OPERATION_NAMES: Final = frozenset(kind.value for kind in OPERATIONS)
_NOT_SET: Final = "0001-01-01T00:00:00"  # .NET's
_ZERO_ID: Final = re.compile(r"(?:urn:)?(?:uuid:)?[{(]?[0-]+[)}]?", re.IGNORECASE)
_ID_ATTRIBUTE: Final = "id"  # by which a value is referred to


def _known(parameters: Iterable[Parameter], version: Version = Version.SOAP) -> dict[str, Parameter]:
    """Return the parameters by their names in small letters: the letter case of a name does not count."""
    return {name.lower(): parameter for name, parameter in by_name(parameters, version).items()}


_PARAMETERS: Final = {kind: _known(operation.parameters) for kind, operation in OPERATIONS.items()}
_IN_HEADER: Final = _known(CREDENTIALS)
_IN_OPERATION: Final = _known(CREDENTIALS, Version.SOAP_NO_HEADERS)


def read_calls(envelope: Envelope) -> list[ReadCall]:
    """Return what each operation of the Body says. A message of document style has one; all that came are taken.

    Raises:
        Fault: a value is given by a reference that cannot be followed, none of the parameters of an operation came, or
            the operations are of several callers.
    """
    readers: list[Values] = []
    for operation in (envelope.operation, *envelope.others):
        is_operation = operation is envelope.operation or _local_name(operation) in _OPERATION_NAMES
        if is_operation and not any(operation in reader.taken for reader in readers):
            readers.append(Values(envelope, operation))
            readers[-1].read()
    _mark_unread(envelope, readers)
    calls = [reader.call() for reader in readers]
    if any(has_login(each.credentials) and each.credentials != calls[0].credentials for each in calls[1:]):
        raise client_fault("The operations of the Body have different credentials")
    return calls


def _mark_unread(envelope: Envelope, readers: Sequence[Values]) -> None:
    """Mark what reached no value, where it may be an absent value, or stands where nothing is expected."""
    read = [reader.operation for reader in readers]
    beside = any(other not in read for other in envelope.others)
    if not beside and not any(reader.lacks_something for reader in readers):
        return
    blocks = [block for block in envelope.header if _namespace(block) not in {"", _OURS}]  # such as wsa's
    taken = [element for reader in readers for element in reader.taken]
    by_reference = any(reader.has_references for reader in readers)
    marks = unread(envelope.root, taken, blocks, (*REFERENCES, _ID_ATTRIBUTE) if by_reference else ())
    for reader in readers:
        reader.mark(*marks)


class Values:
    """Reader of the texts of one operation."""

    def __init__(self, envelope: Envelope, operation: Element) -> None:
        """Look for the operation, which a reference may give.

        Raises:
            Fault: that reference cannot be followed.
        """
        self.operation = operation
        self.taken: list[Element] = []
        """Elements whose texts became values."""
        self._kind = Kind(_local_name(operation))
        self._envelope = envelope
        self._references: References | None = None
        self._credentials: Credentials | None = None
        self._parameters: Fields = {}
        self._doubtful: set[str] = set()
        around = (operation, *operation.iterancestors())
        self._rpc_encoded = any(element.get(style) is not None for element in around for style in STYLES)
        self._marks = dict.fromkeys(envelope.repaired)
        if self._rpc_encoded:
            self.mark(RPC_ENCODED)
        self._content = self._follow(operation)
        self._positions = self._find_positions()
        if self._positions:
            self.mark(POSITIONAL)

    def read(self) -> None:
        """Read the credentials and the parameters.

        Raises:
            Fault: a value is given by a reference that cannot be followed, or none of the parameters came.
        """
        self._credentials = self._read_credentials()
        self._mark_namespace(str(self.operation.tag))
        self._parameters = self._fields(self._content, _PARAMETERS[self._kind])
        if not self._parameters:
            raise client_fault("The operation has none of its parameters")
        if self._content is not self.operation:
            self.taken.append(self._content)

    @property
    def lacks_something(self) -> bool:
        """Whether an expected value is absent. Without an id nothing but the whole content tells what it is."""
        return _lacks(self._parameters, OPERATIONS[self._kind].parameters) or "id" not in self._parameters

    @property
    def has_references(self) -> bool:
        """Whether a value was given by a reference."""
        return self._references is not None

    def mark(self, *marks: str) -> None:
        """Note what was repaired, or left unread; each mark once."""
        self._marks.update(dict.fromkeys(marks))

    def call(self) -> ReadCall:
        """Return what was read."""
        doubtful = frozenset(self._doubtful)
        return ReadCall(self._kind, self._credentials, self._parameters, tuple(self._marks), doubtful)

    def _read_credentials(self) -> Credentials | None:
        """Return the credentials of the header, or else those before the parameters; ``None`` without either.

        The version without headers has them there (contract, section 3). A header that is nil or empty counts as none.
        """
        blocks = [block for block in self._envelope.header if _local_name(block).lower() == MESSENGER_HEADER.lower()]
        in_header = None
        if blocks:
            block = next((block for block in blocks if _namespace(block) == _OURS), blocks[0])
            self._mark_namespace(str(block.tag))
            in_header = _credentials(self._fields(self._follow(block), _IN_HEADER))
        if in_header and has_login(in_header):
            return in_header
        return presented(in_header, _credentials(self._fields(self._content, _IN_OPERATION)))

    def _find_positions(self) -> Mapping[str, str]:
        """Return the names of parameters by the names of elements, where none of these is the contract's."""
        names = [_local_name(child) for child in self._content]
        if not names or any(name.lower() in _PARAMETERS[self._kind] for name in names):
            return {}
        return names_by_position(names, OPERATIONS[self._kind], any_names=self._rpc_encoded)

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
        for tag, child, key in members(parent) if self._rpc_encoded else _children(parent):
            name = tag.rpartition("}")[2]
            parameter = known.get(self._positions.get(name, name).lower())
            if parameter is None:
                continue
            self._add(ours if tag.startswith(_OURS) else others, parameter, child)
            if key is not None:
                self.taken.append(key)
            if tag.startswith("{") and not tag.startswith((_OURS, _namespace(parent) or _OURS)):
                self._doubtful.add(parameter.attribute)
        self._mark(ours, others)
        return {name: self._value(child, parameter) for name, (parameter, child) in (others | ours).items()}

    def _add(self, found: dict[str, tuple[Parameter, Element]], parameter: Parameter, child: Element) -> None:
        if parameter.attribute in found:
            self._note_repeated(parameter.attribute, child)
        else:
            found[parameter.attribute] = parameter, child

    def _note_repeated(self, attribute: str, child: Element) -> None:
        self.mark(REPEATED)
        self._doubtful.add(attribute)
        self.taken.append(child)  # no value, but it has its mark

    def _mark(self, ours: Mapping[str, Any], others: Mapping[str, tuple[Parameter, Element]]) -> None:
        for attribute in ours.keys() & others.keys():
            self._note_repeated(attribute, others[attribute][1])
        if others and not self._rpc_encoded:  # the parameters of an rpc/encoded call have no namespace
            self.mark(FOREIGN)

    def _mark_namespace(self, tag: str) -> None:
        if not tag.startswith(_OURS):
            self.mark(FOREIGN)

    def _value(self, child: Element, parameter: Parameter) -> str | Fields | None:
        structure = parameter.type if isinstance(parameter.type, Structure) else None
        if structure is None:
            self.taken.append(child)
            if not len(child) and not child.keys():  # nearly all are so
                return self._restored(child.text or "")
        element = self._follow(child)
        if self._references is not None:
            self.mark(RPC_ENCODED)
        if structure is not None:
            return self._structure(element, structure)
        self.taken.append(element)
        return self._text(element)

    def _text(self, element: Element) -> str:
        if len(element):  # its tags are dropped, and its text is kept
            self.mark(MARKUP)
        text, marks = decoded_text(element, "".join(map(str, element.itertext())))
        for each in marks:
            self.mark(each)
        return self._restored(text)

    def _structure(self, element: Element, structure: Structure) -> Fields | None:
        if len(element):
            return self._fields(element, _known(structure.members))
        if (element.text or "").strip():
            self.mark(MARKUP)  # a text in place of members: none of them is there
            self.taken.append(element)
        return None

    def _restored(self, text: str) -> str:
        return restore(text) if self._envelope.escaped else text


def _lacks(fields: Fields, parameters: Iterable[Parameter]) -> bool:
    """Whether one of the parameters is absent, or says "none"."""
    for parameter in parameters:
        value = fields.get(parameter.attribute)
        if isinstance(parameter.type, Structure):
            if not isinstance(value, Mapping) or _lacks(value, parameter.type.members):
                return True
        elif not isinstance(value, str) or _says_none(value.strip(), parameter.type):
            return True
    return False


def _says_none(text: str, kind: object) -> bool:
    return not text or (kind is Type.TIME and text.startswith(_NOT_SET)) or (kind is Type.ID and _is_zero(text))


def _is_zero(text: str) -> bool:
    return _ZERO_ID.fullmatch(text) is not None


def _local_name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _namespace(element: Element) -> str:
    """Return an element's namespace in its braces, or the empty text."""
    namespace, brace, _ = str(element.tag).rpartition("}")
    return namespace + brace


def _children(parent: Element) -> Iterable[tuple[str, Element, None]]:
    return ((str(child.tag), child, None) for child in parent)


def _credentials(fields: Fields) -> Credentials:
    return Credentials(**{each.attribute: str(fields.get(each.attribute) or "") for each in CREDENTIALS})
