"""The WSDL that we serve: the hand-written file with the address put in at which the caller reaches us."""

from __future__ import annotations

from typing import Final

from lxml import etree

from soap_handler.contract import wsdl_path

_ADDRESS: Final = "{http://schemas.xmlsoap.org/wsdl/soap/}address"


class Description:
    """The Account Event Handler's WSDL, parsed once. It remembers no address from one request to the next."""

    def __init__(self) -> None:
        self._document = etree.parse(wsdl_path("AccountEventHandler"))

    def at(self, address: str) -> bytes:
        """Return the WSDL for a service at this address."""
        root = etree.fromstring(etree.tostring(self._document))
        for element in root.iter(_ADDRESS):
            element.set("location", address)
        return etree.tostring(root, xml_declaration=True, encoding="utf-8")
