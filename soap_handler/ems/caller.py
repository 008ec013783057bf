"""One call of the Account Event Handler, and a check of its answer. The pusher decides about retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import requests
from requests.adapters import HTTPAdapter
from zeep.exceptions import Error as ZeepError

from soap_handler.contract import Version
from soap_handler.ems.form_push import FormWriter
from soap_handler.ems.soap_push import SoapWriter
from soap_handler.ems.versions import PushError
from soap_handler.ems.xml_push import XmlWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from soap_handler.ems.accounts import EmsAccount
    from soap_handler.ems.versions import Writer
    from soap_handler.notifications import Notification

_WRITERS: Final[dict[Version, Callable[[], Writer]]] = {
    Version.SOAP: SoapWriter,
    Version.SOAP_NO_HEADERS: lambda: SoapWriter(header=False),
    Version.FORM_POST: FormWriter,
    Version.XML_PUSH: XmlWriter,
}


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


class HandlerCaller:
    """One connection to the Account Event Handler. It is for one thread, since zeep's client is not thread-safe."""

    def __init__(self, timeout: float, api: Version = Version.SOAP) -> None:
        """``timeout`` is how long (seconds) a call may wait for the connection, and for each part of the answer."""
        self._timeout = timeout
        self._writer = _WRITERS[api]()
        self._session = requests.Session()
        self._session.trust_env = False  # it would use a proxy of the environment even for 127.0.0.1
        self._adapter = _LossyAdapter()
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)

    def call(
        self,
        url: str,
        account: EmsAccount,
        notification: Notification,
        *,
        lose_answer: bool = False,
        upper_case_id: bool = False,
    ) -> None:
        """Push a notification once. As EMS, it follows no redirect.

        Raises:
            PushError: the answer does not confirm it; the text says what came instead.
        """
        self._adapter.lose_answer = lose_answer
        try:
            push = self._writer.request(account, notification, upper_case_id=upper_case_id)
            response = self._session.post(
                url, data=push.body, headers=dict(push.headers), timeout=self._timeout, allow_redirects=False
            )
        except (requests.RequestException, ZeepError, ValueError) as error:  # ValueError: a text cannot be written
            raise PushError(type(error).__name__) from error
        finally:
            self._adapter.lose_answer = False
        self._writer.check(response, notification)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
