"""Forms of a value in rpc/encoded calls: references, base64 texts, maps. No parameter names.

The rules are in SOAP 1.1, section 5, and SOAP 1.2, part 2. Senders of such calls are old PHP (PEAR SOAP, NuSOAP,
SoapClient without a WSDL), Perl (SOAP::Lite) and Axis clients.
"""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Final

from soap_handler.faces.soap.faults import client_fault
from soap_handler.faces.soap.versions import VERSIONS
from soap_handler.xml.charsets import decode_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lxml.etree import _Element as Element

BASE64: Final = "base64"
"""Mark: a value came as base64."""

STYLES: Final = tuple(version.encoding_style for version in VERSIONS)
"""The attributes by which an operation, or an element around it, says that it is encoded."""
_ENCODING_12: Final = "http://www.w3.org/2003/05/soap-encoding"
_REF_12: Final = f"{{{_ENCODING_12}}}ref"
REFERENCES: Final = ("href", _REF_12)
"""The attributes by which an element refers to another one."""
_ID_12: Final = f"{{{_ENCODING_12}}}id"
_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_OLD_TYPE: Final = "{http://www.w3.org/1999/XMLSchema-instance}type"
_BINARY: Final = frozenset({"base64Binary", "base64"})
_MAX_REFERENCES: Final = 4  # in a row; one is usual


class References:
    """Multi-reference values: elements of a message to which others refer.

    By ``href`` (SOAP 1.1, section 5.4.1), or by ``enc:ref`` (SOAP 1.2, part 2, section 3.1.5), which PHP writes with
    the mark of ``href``.
    """

    def __init__(self, parts: Iterable[Element]) -> None:
        self._parts = tuple(parts)
        self._targets: dict[str, Element] | None = None

    def follow(self, element: Element) -> Element:
        """Return the element that holds a value: this one, or the one to which it refers.

        Raises:
            Fault: the reference leads nowhere, out of the message, or in a circle. To store an empty value in place of
                one that is not in the message would lose it.
        """
        for _ in range(_MAX_REFERENCES):
            reference = _reference(element)
            if reference is None:
                return element
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
                name = element.get("id") or element.get(_ID_12)
                if name is not None:
                    targets.setdefault(name, element)
        return targets


def _reference(element: Element) -> str | None:
    reference = element.get(_REF_12)
    return element.get("href") if reference is None else f"#{reference.removeprefix('#')}"


def decoded_text(element: Element, text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text of a value, and marks if it was base64. SOAP::Lite writes texts outside of ASCII so."""
    kind = element.get(_TYPE) or element.get(_OLD_TYPE)
    if kind is None or kind.rpartition(":")[2] not in _BINARY:
        return text, ()
    try:
        decoded = decode_value(b64decode("".join(text.split()), validate=True))
    except ValueError:  # its type says base64, but its text is none
        return text, ()
    return decoded.text, (BASE64, *decoded.repaired)


def members(element: Element) -> Iterator[tuple[str, Element, Element | None]]:
    """Yield the members of a structure, in order, by name, with the element that names each where that is another one.

    A PHP array is a map of items, and has keys for names.
    """
    for child in element:
        key, value = (child.find("key"), child.find("value")) if child.tag == "item" else (None, None)
        if key is None or value is None:
            yield str(child.tag), child, None
        else:
            yield (key.text or "").strip(), value, key
