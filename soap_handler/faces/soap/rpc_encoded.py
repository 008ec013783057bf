"""What rpc/encoded callers write differently (SOAP 1.1, section 5): references, base64 texts, maps.

Such are old PHP (PEAR SOAP, NuSOAP, SoapClient without a WSDL), Perl (SOAP::Lite) and Axis clients. Here are only their
ways to write a value; which values we want is not known here.
"""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Final

from soap_handler.contract import SOAP_11
from soap_handler.faces.soap.faults import client_fault
from soap_handler.xml.charsets import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lxml.etree import _Element as Element

_STYLE: Final = f"{{{SOAP_11}}}encodingStyle"
_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_OLD_TYPE: Final = "{http://www.w3.org/1999/XMLSchema-instance}type"
_BINARY: Final = frozenset({"base64Binary", "base64"})
_LONGEST_CHAIN: Final = 4  # references in a row; one is usual


class References:
    """The elements of a message that others refer to by ``href`` (SOAP 1.1, section 5.4.1)."""

    def __init__(self, parts: Iterable[Element]) -> None:
        self._parts = tuple(parts)
        self._targets: dict[str, Element] | None = None
        self.followed = False
        """Whether any reference was followed."""

    def follow(self, element: Element) -> Element:
        """Return the element in which a value really is.

        Raises:
            Fault: the reference leads nowhere, to another place, or in a circle. The value is not in the message: to
                store it as empty would lose it.
        """
        for _ in range(_LONGEST_CHAIN):
            reference = element.get("href")
            if reference is None:
                return element
            self.followed = True
            element = self._target(reference)
        raise client_fault("A value is given by a reference (href) that leads in a circle")

    def _target(self, reference: str) -> Element:
        if self._targets is None:
            self._targets = self._identified()
        target = self._targets.get(reference.removeprefix("#"))
        if target is None or not reference.startswith("#"):
            raise client_fault("A value is given by a reference (href) that leads nowhere")
        return target

    def _identified(self) -> dict[str, Element]:
        targets: dict[str, Element] = {}
        for part in self._parts:
            for element in part.iter("*"):
                name = element.get("id")
                if name is not None:
                    targets.setdefault(name, element)
        return targets


def is_encoded(operation: Element) -> bool:
    """Whether an operation, or what it is in, says that it is written in SOAP's encoding."""
    return any(element.get(_STYLE) is not None for element in (operation, *operation.iterancestors()))


def own_text(element: Element, text: str) -> tuple[str, bool]:
    """Return the text of a value, and whether it was written as base64, as SOAP::Lite does with what is not ASCII."""
    kind = element.get(_TYPE) or element.get(_OLD_TYPE)
    if kind is None or kind.rpartition(":")[2] not in _BINARY:
        return text, False
    try:
        return text_of(b64decode("".join(text.split()), validate=True)), True
    except ValueError:  # it only says so
        return text, False


def members(element: Element) -> Iterator[tuple[str, Element]]:
    """Give the members of a structure by name, in their order; those of a PHP array, a map of items, by their keys."""
    for child in element:
        key, value = (child.find("key"), child.find("value")) if child.tag == "item" else (None, None)
        if key is None or value is None:
            yield str(child.tag), child
        else:
            yield (key.text or "").strip(), value
