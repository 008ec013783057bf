"""The WSDL that the service publishes: the hand-written file with the public address put in."""

from __future__ import annotations

from typing import Final

from lxml import etree

from soap_handler.contract import wsdl_path
from soap_handler.xml.parser import parse

_ADDRESS: Final = "{http://schemas.xmlsoap.org/wsdl/soap/}address"


class Wsdl:
    """WSDL of the Account Event Handler, read once. No address is kept from one request for the next."""

    def __init__(self) -> None:
        self._document = wsdl_path("AccountEventHandler").read_bytes()

    def at(self, address: str) -> bytes:
        """Return the WSDL of a service at this address."""
        root = parse(self._document)
        for element in root.iter(_ADDRESS):
            element.set("location", address)
        return etree.tostring(root, xml_declaration=True, encoding="utf-8")
