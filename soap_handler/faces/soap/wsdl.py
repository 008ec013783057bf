"""Descriptions of the service for programs, where ASP.NET has them: the WSDL, its schema, the discovery document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import quoteattr

from lxml import etree

from soap_handler.contract import NAMESPACE
from soap_handler.faces.soap.wsdl_text import Wsdl
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from collections.abc import Collection

_SCHEMA: Final = "{http://www.w3.org/2001/XMLSchema}schema"
_DISCO: Final = """\
<?xml version="1.0" encoding="utf-8"?>
<discovery xmlns="http://schemas.xmlsoap.org/disco/">
  <contractRef xmlns="http://schemas.xmlsoap.org/disco/scl/" ref={wsdl} docRef={page}/>
  <soap xmlns="http://schemas.xmlsoap.org/disco/soap/" xmlns:q1="{namespace}" address={page} \
binding="q1:AccountEventHandlerSoap"/>
</discovery>
"""


class Descriptions:
    """Finds the document that a query string names. The WSDL imports nothing, so ``singleWsdl`` is the WSDL."""

    def __init__(self) -> None:
        self._wsdl = Wsdl()

    def find(self, query: Collection[str], address: str) -> bytes | None:
        """Return the document for a service at this address; ``None`` where the query names none."""
        if "wsdl" in query or "singlewsdl" in query:
            return self._wsdl.at(address)
        if "wsdl12" in query:
            return self._wsdl.with_soap_12(address)
        if "xsd" in query:
            return self._schema(address)
        return _disco(address) if "disco" in query else None

    def _schema(self, address: str) -> bytes:
        schema = next(parse(self._wsdl.at(address)).iter(_SCHEMA))
        return etree.tostring(schema, xml_declaration=True, encoding="utf-8", with_tail=False)


def _disco(address: str) -> bytes:
    """Return the discovery document, from which wsdl.exe and Visual Studio find the WSDL."""
    page = quoteattr(address)
    return _DISCO.format(wsdl=quoteattr(f"{address}?wsdl"), page=page, namespace=NAMESPACE).encode()
