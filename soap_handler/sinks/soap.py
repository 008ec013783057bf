"""The sink that relays to an existing Account Event Handler: the same SOAP operation, with its own MessengerHeader.

zeep writes the envelope from the bundled WSDL. Values are as they came: unknown enumeration values, and times that
could not be read, have the provider's own text. Only what no XML can say is replaced: half a surrogate pair, and NUL.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from soap_handler.contract import (
    OPERATIONS,
    SOAP_11,
    Structure,
    Type,
    soap_action,
)
from soap_handler.envelope_writer import EnvelopeWriter
from soap_handler.errors import SinkDownError, SinkRefusedError
from soap_handler.notifications import instant
from soap_handler.sinks.base import Sink
from soap_handler.sinks.http import Sessions
from soap_handler.trace_context import HEADER, current, made_up
from soap_handler.xml.control_characters import shield, unshield
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from soap_handler.contract import Parameter, ParameterType
    from soap_handler.notifications import Notification
    from soap_handler.settings.sinks import SoapSettings
    from soap_handler.sinks.base import Delivery
    from soap_handler.sinks.http import Reply

_writer: Final = EnvelopeWriter("AccountEventHandler")
_TIME_NOT_SET: Final = "0001-01-01T00:00:00"  # contract, section 4
_UNWRITABLE: Final = re.compile("[\0\ud800-\udfff\ufffe\uffff]")
_LOGIN_FAULT: Final = re.compile(
    r"authenti|authori|credential|password|login|not live|not enabled|header", re.IGNORECASE
)
_FAULT_SHOWN: Final = 200  # characters


class SoapRelay(Sink):
    """An Account Event Handler of the customer's."""

    def __init__(self, settings: SoapSettings) -> None:
        self._url = settings.url.get_secret_value()
        self._settings = settings
        self._sessions = Sessions(
            timeout=settings.timeout,
            ca_bundle=settings.ca_bundle,
            client_certificate=settings.client_certificate,
            client_key=settings.client_key,
            proxy=settings.proxy,
        )

    def deliver(self, delivery: Delivery) -> None:
        """Call the operation; its response confirms."""
        notification = delivery.notification
        name = notification.kind.value
        header = {
            "Username": self._settings.username,
            "Password": self._settings.password.get_secret_value(),
            "Account": self._settings.account or notification.account,
        }
        reply = self._sessions.request(
            "POST",
            self._url,
            data=envelope_of(notification, header),
            headers={
                "Content-Type": "text/xml; charset=utf-8",
                "SOAPAction": f'"{soap_action(name)}"',
                "Accept": "text/xml",
                HEADER: current() or made_up(notification.key),
            },
        )
        confirm(name, reply)

    def probe(self) -> str:
        """Ask for the description, which does no harm."""
        reply = self._sessions.request("GET", self._url, params="wsdl")  # ASP.NET knows no "?wsdl="
        if reply.status >= 500 or reply.status in {401, 403, 404, 407} or 300 <= reply.status < 400:
            raise SinkDownError(f"HTTP {reply.status} for ?wsdl")
        return f"reached: HTTP {reply.status} for ?wsdl"

    def close(self) -> None:
        """Close all connections."""
        self._sessions.close()


def envelope_of(notification: Notification, header: Mapping[str, str]) -> bytes:
    """Return the envelope of a notification's operation, with a MessengerHeader."""
    values = _members(notification, OPERATIONS[notification.kind].parameters, notification.original)
    message = _writer.write(notification.kind.value, header, values)
    return unshield(etree.tostring(message, xml_declaration=True, encoding="utf-8"))


def _members(value: object, members: Iterable[Parameter], original: Mapping[str, str]) -> dict[str, Any]:
    return {
        each.name: _clean(original[each.attribute])
        if each.attribute in original
        else _written(getattr(value, each.attribute), each.type)
        for each in members
    }


def _written(value: Any, kind: ParameterType) -> Any:  # noqa: ANN401 - any attribute of any notification
    """Return a value as XML Schema writes it."""
    match kind:
        case Structure():
            return None if value is None else _members(value, kind.members, {})
        case Type.TIME:
            return instant(value) or _TIME_NOT_SET
        case Type.NUMBER:
            return value or 0
        case Type.BOOLEAN:
            return bool(value)
        case _:
            return _clean(str(value))


def _clean(text: str) -> str:
    return shield(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def confirm(operation: str, reply: Reply) -> None:
    """Return only for HTTP 200 with the operation's response.

    Raises:
        SinkRefusedError: the handler answered with a fault of the client's, which is not about the login.
        SinkDownError: anything else came.
    """
    body = _body(reply.body)
    first = None if body is None or not len(body) else etree.QName(body[0])
    if first is not None and first.localname == "Fault" and first.namespace == SOAP_11 and body is not None:
        raise _of_fault(body[0])
    if reply.status != 200:
        raise SinkDownError(f"HTTP {reply.status}", reply.retry_after)
    if first is None or first.localname != f"{operation}Response":
        raise SinkDownError(f"HTTP 200 without {operation}Response")


def _body(content: bytes) -> etree._Element | None:
    try:
        envelope = parse(content)
    except etree.XMLSyntaxError:
        return None
    return envelope.find(f"{{{SOAP_11}}}Body")


def _of_fault(fault: etree._Element) -> SinkDownError | SinkRefusedError:
    code = (fault.findtext("faultcode") or "").rpartition(":")[2]
    text = f"{code}: {fault.findtext('faultstring') or ''}".partition("\n")[0][:_FAULT_SHOWN]
    if code.partition(".")[0] == "Client" and not _LOGIN_FAULT.search(text):
        return SinkRefusedError(text)
    return SinkDownError(text)
