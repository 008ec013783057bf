"""One call of the Account Event Handler, and a check of its answer. The pusher decides about retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context
from zeep.exceptions import Error as ZeepError

from soap_handler.connection_faults import no_answer
from soap_handler.contract import Version
from soap_handler.ems.form_push import FormWriter
from soap_handler.ems.soap_push import SoapWriter
from soap_handler.ems.versions import PushError
from soap_handler.ems.xml_push import XmlWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from soap_handler.ems.accounts import EmsAccount
    from soap_handler.ems.versions import Writer
    from soap_handler.notifications import Notification

WRITERS: Final[dict[Version, Callable[[], Writer]]] = {
    Version.SOAP: SoapWriter,
    Version.SOAP_NO_HEADERS: lambda: SoapWriter(header=False),
    Version.FORM_POST: FormWriter,
    Version.XML_PUSH: XmlWriter,
}
"""What writes a push in each version of the API. A writer is for one thread."""


class AnswerLostError(PushError):
    """The handler answered, but the answer was dropped, as the disturbances order."""


class _LossyAdapter(HTTPAdapter):
    """HTTP adapter that can drop the connection after a request, before its answer is read."""

    def __init__(self, ca_bundle: Path | None = None) -> None:
        self._ca_bundle = ca_bundle
        super().__init__(pool_connections=1, pool_maxsize=1)
        self.lose_answer = False

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests' own signature
        if self._ca_bundle is not None:  # requests itself would trust these in place of the well-known ones
            kwargs["ssl_context"] = context = create_urllib3_context()
            context.load_verify_locations(cafile=str(self._ca_bundle))
        super().init_poolmanager(*args, **kwargs)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - requests' own signature
        response = super().send(request, *args, **kwargs)
        if self.lose_answer:
            response.raw.close()  # closes the connection; releasing it would keep it for the next call
            raise AnswerLostError("the answer was lost")
        return response


class HandlerCaller:
    """One connection to the Account Event Handler. It is for one thread, since zeep's client is not thread-safe."""

    def __init__(self, timeout: float, api: Version = Version.SOAP, ca_bundle: Path | None = None) -> None:
        """``timeout`` is how long (seconds) a call may wait for the connection, and for each part of the answer.

        ``ca_bundle`` has roots to trust beside the well-known ones.
        """
        self._timeout = timeout
        self._writer = WRITERS[api]()
        self._session = requests.Session()
        self._session.trust_env = False  # it would use a proxy of the environment even for 127.0.0.1
        self._adapter = _LossyAdapter(ca_bundle)
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
            raise PushError(no_answer(error)) from error
        finally:
            self._adapter.lose_answer = False
        self._writer.check(response, notification)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
