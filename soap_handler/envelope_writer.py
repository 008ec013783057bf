"""SOAP envelopes, written by zeep from a bundled WSDL: the only door to zeep, which sends and reads nothing here."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from soap_handler.contract import MESSENGER_HEADER, NAMESPACE, wsdl_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element

_Service: TypeAlias = Literal["AccountEventHandler", "InboxService"]
_parsing: Final = threading.Lock()


class EnvelopeWriter:
    """Writes the calls of one service. Thread-safe."""

    def __init__(self, service: _Service) -> None:
        """``service`` names the WSDL and its binding for SOAP 1.1. It is read at the first call."""
        self._service = service
        self._local = threading.local()  # a zeep client is not to be shared by threads

    def write(self, operation: str, header: Mapping[str, str], parameters: Mapping[str, Any]) -> _Element:
        """Return the envelope of a call with a MessengerHeader.

        Raises:
            ValueError: a text has a character that XML cannot carry.
        """
        client, service = self._client()
        envelope: _Element = client.create_message(
            service, operation, _soapheaders={MESSENGER_HEADER: header}, **parameters
        )
        return envelope

    def _client(self) -> tuple[Any, Any]:
        """Return this thread's zeep client, and its service."""
        if not hasattr(self._local, "client"):
            with _parsing:  # two threads at once would each parse the WSDL
                client = _zeep().Client(_wsdl(self._service), transport=_wsdl(self._service).transport)
            binding = f"{{{NAMESPACE}}}{self._service}Soap"
            self._local.client = client, client.create_service(binding, "")  # who posts the envelope knows the address
        found: tuple[Any, Any] = self._local.client
        return found


@cache
def _wsdl(service: _Service) -> Any:  # noqa: ANN401 - zeep publishes no types
    """Return a parsed WSDL. It never changes once it is read, so all threads and accounts share one."""
    return _zeep().wsdl.Document(str(wsdl_path(service)), _zeep().Transport())


def _zeep() -> Any:  # noqa: ANN401 - zeep publishes no types
    """Return zeep, imported at the first call: a quarter of a second and some megabytes that a start need not pay."""
    import zeep  # noqa: PLC0415 - see above

    return zeep
