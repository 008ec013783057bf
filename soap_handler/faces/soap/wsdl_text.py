"""The WSDL that the service publishes: the hand-written file with the public address put in.

The file has a binding for SOAP 1.1 alone. A second one for SOAP 1.2 is made from it on request: generators that find
both in one description, such as gSOAP's, would move their users to SOAP 1.2 without telling them.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Final

from lxml import etree

from soap_handler.contract import wsdl_path
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
_SOAP_11: Final = "http://schemas.xmlsoap.org/wsdl/soap/"
_SOAP_12: Final = "http://schemas.xmlsoap.org/wsdl/soap12/"
_PORT_12: Final = "AccountEventHandlerSoap12"
"""The name of the port, and of the binding, that ASP.NET gives them."""


class Wsdl:
    """WSDL of the Account Event Handler, read once. No address is kept from one request for the next."""

    def __init__(self) -> None:
        self._document = wsdl_path("AccountEventHandler").read_bytes()

    def at(self, address: str) -> bytes:
        """Return the WSDL of a service at this address, with a port for SOAP 1.1."""
        return _written(parse(self._document), address)

    def with_soap_12(self, address: str) -> bytes:
        """Return the WSDL of a service at this address, with a port for SOAP 1.2 before the one for SOAP 1.1."""
        root = parse(self._document)
        for name in ("binding", "service/{*}port"):
            element = root.find(f"{{{_WSDL}}}{name}")
            if element is not None:
                element.addprevious(_for_soap_12(element))
        return _written(root, address)


def _for_soap_12(element: Element) -> Element:
    """Return a copy of a binding or a port for SOAP 1.2: its SOAP elements have the same names in both versions."""
    copy = etree.Element(element.tag, nsmap={"soap12": _SOAP_12})
    copy.attrib.update(element.attrib)
    copy.text, copy.tail = element.text, element.tail
    copy.extend(deepcopy(child) for child in element)
    copy.set("name", _PORT_12)
    if "binding" in copy.attrib:
        copy.set("binding", f"tns:{_PORT_12}")
    for part in copy.iter(f"{{{_SOAP_11}}}*"):
        part.tag = f"{{{_SOAP_12}}}{etree.QName(part).localname}"
    return copy


def _written(root: Element, address: str) -> bytes:
    for namespace in (_SOAP_11, _SOAP_12):
        for element in root.iter(f"{{{namespace}}}address"):
            element.set("location", address)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")
