"""The calls to the inbox service (contract, section 2). How an answer is read is in ``answers``."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from soap_handler.contract import NAMESPACE, wsdl_path
from soap_handler.errors import InboxFaultError
from soap_handler.inbox.answers import confirm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.inbox.transport import Transport
    from soap_handler.settings import InboxSettings

_BINDING: Final = f"{{{NAMESPACE}}}InboxServiceSoap"


class Inbox:
    """The EMS inbox of one account. Thread-safe; whoever built it closes it.

    No call lasts longer than the connect timeout and the timeout of the settings together, however slowly the answer
    drips. No call succeeds without the answer that the contract demands.
    """

    def __init__(self, account_reference: str, settings: InboxSettings) -> None:
        self._account = account_reference
        self._settings = settings
        self._here = threading.local()  # neither a zeep client nor a requests session may be shared by threads
        self._transports: list[Transport] = []
        self._lock = threading.Lock()

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the messages with these ids, in one call. EMS has confirmed it when this returns.

        Raises:
            MessageGoneError: EMS does not know the message, or one of them.
            InboxRefusedError: EMS refuses the credentials or the account.
            InboxFaultError: EMS answered with another SOAP fault.
            InboxUnavailableError: anything else; whether the messages were deleted is not known.
        """
        if len(ids) == 1:
            self._call("DeleteMessage", id=ids[0])
        elif ids:
            self._call("DeleteMessages", ids={"string": list(ids)})

    def check_login(self) -> None:
        """Ask for the messages of a day long past: it changes nothing, and proves address, credentials and account.

        Raises:
            InboxError: as :meth:`delete`.
        """
        self._call("GetMessagesForDay", year=2000, month=1, day=1)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            transports, self._transports = self._transports, []
            self._here = threading.local()
        for transport in transports:
            transport.close()

    def _call(self, operation: str, **parameters: object) -> None:
        service = self._service()
        try:
            answer = service[operation](**parameters, _soapheaders={"MessengerHeader": self._header()})
        except ValueError:
            # lxml's "All strings must be XML compatible": such an id is on no shelf of EMS, but others may be.
            raise InboxFaultError("the call cannot be written as XML") from None
        confirm(operation, answer)

    def _header(self) -> dict[str, str]:
        return {
            "Username": self._settings.username,
            "Password": self._settings.password.get_secret_value(),
            "Account": self._account,
        }

    def _service(self) -> Any:  # noqa: ANN401 - zeep publishes no types
        """Return this thread's own zeep service, made at its first call."""
        if not hasattr(self._here, "service"):
            self._here.service = self._new_service()
        return self._here.service

    def _new_service(self) -> Any:  # noqa: ANN401 - zeep publishes no types
        from soap_handler.inbox.transport import Transport  # noqa: PLC0415 - it imports requests; see _zeep

        transport = Transport(self._settings)
        with self._lock:
            self._transports.append(transport)
        # The answer is read by us: zeep takes an empty Body and an empty response for the same thing.
        client = _zeep().Client(_wsdl(), transport=transport, settings=_zeep().Settings(raw_response=True))
        return client.create_service(_BINDING, self._settings.url)


@cache
def _wsdl() -> Any:  # noqa: ANN401 - zeep publishes no types
    """Return the parsed WSDL. Nobody changes it once it is read, so all threads and accounts share one."""
    return _zeep().wsdl.Document(str(wsdl_path("InboxService")), _zeep().Transport())


def _zeep() -> Any:  # noqa: ANN401 - zeep publishes no types
    """Return zeep, imported at the first call: a quarter of a second and some megabytes that a start need not pay."""
    import zeep  # noqa: PLC0415 - see above

    return zeep
