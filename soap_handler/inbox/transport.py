"""The HTTP transport to the inbox: a POST, bounded in time and in size. Does not read the answer: see client.py.

zeep asks no more of a transport than ``post_xml`` once the WSDL is read; its own would have neither bound, and would
write the password to the log at DEBUG.
"""

from __future__ import annotations

from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Final, Self

import requests
from lxml import etree
from urllib3.exceptions import HTTPError

from soap_handler.bounded_http import BoundedAdapter
from soap_handler.connection_faults import tls_fault
from soap_handler.errors import InboxUnavailableError
from soap_handler.inbox.confirmation import Answer
from soap_handler.xml.parser import forget_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from soap_handler.settings import InboxSettings

_ANSWER_BYTES: Final = 32 * 1024 * 1024  # at most; all messages of a day come in one answer (contract, section 2)
_CHUNK_BYTES: Final = 64 * 1024


class Transport:
    """Posts envelopes for one account from one thread, over a connection that is kept alive.

    The proxy and the certificates are those of the settings alone: ``HTTPS_PROXY``, ``.netrc`` and their like in the
    environment do not count.
    """

    def __init__(self, settings: InboxSettings, timeout: float | None = None) -> None:
        """``timeout`` is for the whole answer, in seconds; without it that of the settings holds."""
        self._timeouts = (settings.connect_timeout, timeout or settings.timeout)
        self._session = _session(settings)

    def post_xml(self, address: str, envelope: etree._Element, headers: Mapping[str, str]) -> Answer:
        """Post an envelope and return the whole answer, whatever its status.

        Raises:
            InboxUnavailableError: there was none, or not in time, or it was too large.
        """
        with self._post(address, envelope, headers) as stream:
            answer = Answer(stream.status, b"".join(stream.chunks(_ANSWER_BYTES)))
        forget_names(len(answer.body))  # of those before it: zeep's parsers remember them too
        return answer

    def _post(self, address: str, envelope: etree._Element, headers: Mapping[str, str]) -> Stream:
        message = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
        with _unavailable():
            # A redirect is not followed: it would carry the password to an address that is not in the settings.
            response = self._session.post(
                address, data=message, headers=headers, timeout=self._timeouts, stream=True, allow_redirects=False
            )
        return Stream(response)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()


class StreamingTransport(Transport):
    """A transport that streams: it returns an answer before all of it is there. The caller closes the answer."""

    def post_xml(self, address: str, envelope: etree._Element, headers: Mapping[str, str]) -> Stream:  # type: ignore[override] # zeep hands on what it is given
        """Post an envelope and return the answer that begins to come in.

        Raises:
            InboxUnavailableError: there was none, or not in time.
        """
        return self._post(address, envelope, headers)


class Stream:
    """An answer that is still coming in. A context manager; leaving it gives the connection back, or cuts it off."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self.status: int = response.status_code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def chunks(self, largest: int) -> Iterator[bytes]:
        """Yield the bytes of the answer as they come.

        Raises:
            InboxUnavailableError: it breaks off, is not whole in time, or has more than ``largest`` bytes.
        """
        left = largest
        pieces = self._response.iter_content(_CHUNK_BYTES)
        while True:
            with _unavailable():
                chunk = next(pieces, None)
            if chunk is None:
                return
            left -= len(chunk)
            if left < 0:
                raise InboxUnavailableError(f"HTTP {self.status}, an answer of more than {largest} bytes")
            yield chunk


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turn everything that the network can raise into our error; requests' own errors are OSErrors."""
    try:
        yield
    except (OSError, HTTPError, ValueError) as error:
        raise InboxUnavailableError(_describe(error)) from None


def _session(settings: InboxSettings) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = str(settings.ca_bundle) if settings.ca_bundle else True
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    session.headers.update({"User-Agent": "soap-handler", "Accept": "text/xml", "Accept-Encoding": "identity"})
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(pool_connections=1, pool_maxsize=1))
    return session


def _describe(error: BaseException) -> str:
    """Name the error and what caused it. Their texts stay out: they hold addresses, and more in releases to come."""
    root = error
    while isinstance(below := root.__cause__ or root.__context__, OSError | HTTPError | HTTPException):
        root = below
    fault = tls_fault(root)
    if fault is not None:
        return fault
    outer, inner = type(error).__name__, type(root).__name__
    return outer if outer == inner else f"{outer} ({inner})"
