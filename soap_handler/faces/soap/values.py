"""From the elements of a call to texts by name: credentials and parameters, wherever and however a caller puts them.

What a text means is read elsewhere (``receive.values``). Nothing that can be understood is refused; what was not
as the WSDL has it is noted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from soap_handler.accounts.accounts import Credentials
from soap_handler.contract import NAMESPACE
from soap_handler.faces.soap.envelope import Envelope, local_name
from soap_handler.faces.soap.rpc_encoded import References, is_encoded, members, own_text
from soap_handler.notifications import Kind
from soap_handler.xml.repair import restore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lxml.etree import _Element as Element

ENCODED: Final = "encoded call"
BASE64: Final = "base64"
FOREIGN: Final = "namespace"
REPEATED: Final = "repeated element"
MARKUP: Final = "markup in a value"
IN_BODY: Final = "credentials in the body"
OTHERS: Final = "repeated operation"
"""What was not as the WSDL has it."""

_OURS: Final = f"{{{NAMESPACE}}}"
_MESSENGER_HEADER: Final = f"{_OURS}MessengerHeader"
_MISSPELT: Final = {"occuredat": "occurredat"}  # as on the vendor's own pages (contract, section 4)
_OPERATIONS: Final = frozenset(kind.value for kind in Kind)
_HEADER: Final = ("Username", "Password", "Account")
_LEADING: Final = ("username", "password", "account")  # of the version without headers (contract, section 3)


class Values:
    """Reads the texts of one envelope and notes in ``repaired`` what it met."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._references = References((*envelope.header, envelope.operation, *envelope.others))
        self._encoded = is_encoded(envelope.operation)
        self._noted = dict.fromkeys(envelope.repaired)
        if self._encoded:
            self._noted[ENCODED] = None

    @property
    def repaired(self) -> tuple[str, ...]:
        """What was mended, in stable words, each once."""
        return tuple(self._noted)

    def credentials(self) -> Credentials | None:
        """Return what the header says, or else what stands before the parameters; ``None`` where neither is there.

        Raises:
            Fault: they are given by a reference that cannot be followed.
        """
        named = [block for block in self._envelope.header if local_name(block) == "MessengerHeader"]
        if named:
            block = next((block for block in named if block.tag == _MESSENGER_HEADER), named[0])
            self._note_namespace(str(block.tag))
            return _credentials(self.texts(self._references.follow(block), dict.fromkeys(_HEADER)))
        texts = self.texts(self._operation(), dict.fromkeys(_LEADING))
        if not texts:
            return None
        self._noted[IN_BODY] = None
        return _credentials(texts)

    def parameters(self, names: Mapping[str, Any]) -> dict[str, Any]:
        """Return the texts of the operation's parameters that came, by their names.

        Raises:
            Fault: a value is given by a reference that cannot be followed.
        """
        self._note_namespace(str(self._envelope.operation.tag))
        if any(local_name(other) in _OPERATIONS for other in self._envelope.others):
            self._noted[OTHERS] = None  # the first is stored, and the others are in the envelope that is kept
        return self.texts(self._operation(), names)

    def _operation(self) -> Element:
        return self._references.follow(self._envelope.operation)

    def texts(self, parent: Element, names: Mapping[str, Any]) -> dict[str, Any]:
        """Return the texts of the children that are wanted, in any order; the members of a structure as a mapping.

        Whatever their namespace, but ours goes first; of repeated ones the first counts.
        """
        ours: dict[str, Element] = {}
        others: dict[str, Element] = {}
        for tag, child in members(parent) if self._encoded else _children(parent):
            name = tag.rpartition("}")[2]
            name = _MISSPELT.get(name, name)
            if name in names:
                self._choose(name, child, ours if tag.startswith(_OURS) else others)
        self._note(ours, others)
        return {name: self._content(child, names[name]) for name, child in (others | ours).items()}

    def _choose(self, name: str, child: Element, found: dict[str, Element]) -> None:
        if name in found:
            self._noted[REPEATED] = None
        else:
            found[name] = child

    def _note(self, ours: dict[str, Element], others: dict[str, Element]) -> None:
        if ours.keys() & others.keys():
            self._noted[REPEATED] = None
        if others and not self._encoded:  # an encoded call's parameters have no namespace by right
            self._noted[FOREIGN] = None

    def _note_namespace(self, tag: str) -> None:
        if not tag.startswith(_OURS):
            self._noted[FOREIGN] = None

    def _content(self, child: Element, names: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - a text or a mapping
        plain = names is None and not len(child) and not child.keys()  # nearly all are
        text = (child.text or "") if plain else self._unusual(child, names)
        return restore(text) if self._envelope.mended and isinstance(text, str) else text

    def _unusual(self, child: Element, names: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - likewise
        element = self._references.follow(child)
        if self._references.followed:
            self._noted[ENCODED] = None
        if names is not None:
            return self._structure(element, names)
        if len(element):  # stray markup costs no text
            self._noted[MARKUP] = None
        text, was_base64 = own_text(element, "".join(map(str, element.itertext())))
        if was_base64:
            self._noted[BASE64] = None
        return text

    def _structure(self, element: Element, names: Mapping[str, Any]) -> dict[str, Any] | None:
        if len(element):
            return self.texts(element, names)
        if (element.text or "").strip():
            self._noted[MARKUP] = None  # a text in place of members: none of them is there
        return None


def _children(parent: Element) -> Iterable[tuple[str, Element]]:
    return ((str(child.tag), child) for child in parent)


def _credentials(texts: Mapping[str, Any]) -> Credentials:
    given = {name.lower(): value for name, value in texts.items()}
    return Credentials(**{name: given.get(name) or "" for name in _LEADING})
