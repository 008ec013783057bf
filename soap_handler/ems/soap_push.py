"""SOAP pushes as .NET writes them, with the header or with the credentials in the operation, and their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import zeep
from lxml import etree

from soap_handler.contract import (
    CREDENTIALS,
    MESSENGER_HEADER,
    NAMESPACE,
    SOAP_11,
    Version,
    soap_action,
    wsdl_path,
)
from soap_handler.ems.versions import PushError, PushRequest
from soap_handler.ems.wire import credentials, parameters
from soap_handler.xml.control_characters import unshield
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from soap_handler.ems.accounts import EmsAccount
    from soap_handler.notifications import Notification

_BINDING: Final = f"{{{NAMESPACE}}}AccountEventHandlerSoap"
_MAX_FAULT_CHARACTERS: Final = 200


class SoapWriter:
    """SOAP 1.1 by zeep and the bundled WSDL. For one thread, since zeep's client is."""

    def __init__(self, *, header: bool = True) -> None:
        """Without the ``header`` it is the version whose credentials come first inside the operation."""
        make_client: Callable[..., Any] = zeep.Client  # zeep types only a part of itself
        self._client = make_client(str(wsdl_path("AccountEventHandler")))
        self._service = self._client.create_service(_BINDING, "http://127.0.0.1/")  # nothing is sent by it
        self._header = header

    def request(self, account: EmsAccount, notification: Notification, *, upper_case_id: bool = False) -> PushRequest:
        """Return the envelope; its control characters are references, such as ``&#xC;``."""
        name = notification.kind.value
        values = parameters(notification, upper_case_id=upper_case_id)
        if self._header:
            values["_soapheaders"] = {MESSENGER_HEADER: credentials(account, Version.SOAP)}
        envelope = self._client.create_message(self._service, name, **values)
        if not self._header:
            _put_first(envelope, credentials(account, Version.SOAP_NO_HEADERS))
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{soap_action(name)}"'}
        return PushRequest(headers, unshield(etree.tostring(envelope, xml_declaration=True, encoding="utf-8")))

    def check(self, response: requests.Response, notification: Notification) -> None:
        """Return only for HTTP 200 with the empty, namespaced response element (contract, section 1)."""
        expected = f"{notification.kind}Response"
        if response.status_code != 200:
            raise PushError(f"HTTP {response.status_code}{_fault(response)}")
        body = _body(response)
        if body is None:
            raise PushError("HTTP 200 without a SOAP envelope")
        if [child.tag for child in body] != [f"{{{NAMESPACE}}}{expected}"]:
            raise PushError(f"HTTP 200 without {expected}{_fault(response)}")
        if len(body[0]) or (body[0].text or "").strip():
            raise PushError(f"HTTP 200 with something in {expected}")


def _put_first(envelope: etree._Element, values: dict[str, str]) -> None:
    """Put the credentials before the parameters (contract, section 3)."""
    (operation,) = envelope.iterfind(f"{{{SOAP_11}}}Body/*")
    for number, each in enumerate(CREDENTIALS):
        name = each.spellings[Version.SOAP_NO_HEADERS]
        element = etree.Element(f"{{{NAMESPACE}}}{name}")
        element.text = values[name]
        operation.insert(number, element)


def _body(response: requests.Response) -> etree._Element | None:
    try:
        envelope = parse(response.content)
    except etree.XMLSyntaxError:
        return None
    return envelope.find(f"{{{SOAP_11}}}Body") if envelope.tag == f"{{{SOAP_11}}}Envelope" else None


def _fault(response: requests.Response) -> str:
    """Return code and text of the fault, which are meant for the customer; empty without a fault."""
    body = _body(response)
    fault = None if body is None else body.find(f"{{{SOAP_11}}}Fault")
    if fault is None:
        return ""
    return f": {fault.findtext('faultcode')}: {fault.findtext('faultstring')}"[:_MAX_FAULT_CHARACTERS]
