"""One call of the Account Event Handler through zeep, and a check of its answer. The pusher decides about retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import requests
import zeep
from lxml import etree
from requests.adapters import HTTPAdapter
from zeep.exceptions import Error as ZeepError
from zeep.transports import Transport

from soap_handler.contract import MESSENGER_HEADER, NAMESPACE, SOAP_11, wsdl_path
from soap_handler.ems.wire import parameters, unshield
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from soap_handler.ems.accounts import EmsAccount
    from soap_handler.notifications import Notification

_BINDING: Final = f"{{{NAMESPACE}}}AccountEventHandlerSoap"
_MAX_FAULT_CHARACTERS: Final = 200


class PushError(Exception):
    """The answer was not HTTP 200 with the empty response, so EMS keeps the notification."""


class AnswerLostError(PushError):
    """The handler answered, but the answer was dropped, as the disturbances order."""


class _LossyAdapter(HTTPAdapter):
    """HTTP adapter that can drop the connection after a request, before its answer is read."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self.lose_answer = False

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - requests' own signature
        response = super().send(request, *args, **kwargs)
        if self.lose_answer:
            response.raw.close()  # closes the connection; releasing it would keep it for the next call
            raise AnswerLostError("the answer was lost")
        return response


class _EmsTransport(Transport):
    """Transport that posts as EMS does: it follows no redirect, and writes control characters as references."""

    def post(self, address: str, message: bytes, headers: dict[str, str]) -> requests.Response:
        return self.session.post(
            address, data=unshield(message), headers=headers, timeout=self.operation_timeout, allow_redirects=False
        )


class HandlerCaller:
    """One connection to the Account Event Handler. It is for one thread, since zeep's session is not thread-safe.

    ``timeout`` is how long (seconds) a call may wait for the connection, and for each part of the answer.
    """

    def __init__(self, timeout: float) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # it would use a proxy of the environment even for 127.0.0.1
        self._adapter = _LossyAdapter()
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)
        make_transport: Callable[..., Transport] = _EmsTransport  # zeep types only a part of itself
        transport = make_transport(session=self._session, timeout=timeout, operation_timeout=timeout)
        settings = zeep.Settings(raw_response=True)
        make_client: Callable[..., Any] = zeep.Client
        self._client = make_client(str(wsdl_path("AccountEventHandler")), transport=transport, settings=settings)

    def call(
        self,
        url: str,
        account: EmsAccount,
        notification: Notification,
        *,
        lose_answer: bool = False,
        upper_case_id: bool = False,
    ) -> None:
        """Push a notification once.

        Raises:
            PushError: the answer was not 200 with the empty response; the text says what came instead.
        """
        service = self._client.create_service(_BINDING, url)
        values = parameters(notification, upper_case_id=upper_case_id)
        self._adapter.lose_answer = lose_answer
        try:
            response = service[notification.kind.value](**values, _soapheaders=self._header(account))
        except (requests.RequestException, ZeepError, ValueError) as error:  # ValueError: lxml cannot write a text
            raise PushError(type(error).__name__) from error
        finally:
            self._adapter.lose_answer = False
        _check(response, f"{notification.kind}Response")

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _header(self, account: EmsAccount) -> dict[str, Any]:
        credentials = {
            "Username": account.push_username,
            "Password": account.push_password,
            "Account": account.pushed_as or account.reference,
        }
        return {MESSENGER_HEADER: credentials}


def _check(response: requests.Response, expected: str) -> None:
    """Return only for HTTP 200 with the empty, namespaced response element (contract, section 1)."""
    if response.status_code != 200:
        raise PushError(f"HTTP {response.status_code}{_fault(response)}")
    body = _body(response)
    if body is None:
        raise PushError("HTTP 200 without a SOAP envelope")
    if [child.tag for child in body] != [f"{{{NAMESPACE}}}{expected}"]:
        raise PushError(f"HTTP 200 without {expected}{_fault(response)}")
    if len(body[0]) or (body[0].text or "").strip():
        raise PushError(f"HTTP 200 with something in {expected}")


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
