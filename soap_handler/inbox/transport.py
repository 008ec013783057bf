"""One HTTP POST to the inbox, bounded in time and in size. What the answer means is read in ``answers``.

zeep asks no more of a transport than ``post_xml`` once the WSDL is read; its own would have neither bound, and would
write the password to the log at DEBUG.
"""

from __future__ import annotations

import io
import time
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, Final

import requests
from lxml import etree
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from soap_handler.errors import InboxUnavailableError
from soap_handler.inbox.answers import Answer

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from soap_handler.settings import InboxSettings

_LARGEST_ANSWER: Final = 32 * 1024 * 1024  # bytes; the whole inbox comes in one answer (contract, section 2)
_CHUNK: Final = 64 * 1024


class Transport:
    """Posts envelopes for one account from one thread, over a connection that is kept alive.

    The proxy and the certificates are those of the settings alone: ``HTTPS_PROXY``, ``.netrc`` and their like in the
    environment do not count.
    """

    def __init__(self, settings: InboxSettings) -> None:
        self._timeouts = (settings.connect_timeout, settings.timeout)
        self._session = _session(settings)

    def post_xml(self, address: str, envelope: etree._Element, headers: Mapping[str, str]) -> Answer:
        """Post an envelope and return the whole answer, whatever its status.

        Raises:
            InboxUnavailableError: there was none, or not in time, or it was too large.
        """
        message = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
        try:
            # A redirect is not followed: it would carry the password to an address that nobody configured.
            with self._session.post(
                address, data=message, headers=headers, timeout=self._timeouts, stream=True, allow_redirects=False
            ) as response:
                return Answer(response.status_code, _read(response))
        except (OSError, HTTPError, ValueError) as error:  # requests' own errors are OSErrors
            raise InboxUnavailableError(_describe(error)) from None

    def close(self) -> None:
        """Close the connection."""
        self._session.close()


def _session(settings: InboxSettings) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = str(settings.ca_bundle) if settings.ca_bundle else True
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    session.headers.update({"User-Agent": "soap-handler", "Accept": "text/xml", "Accept-Encoding": "identity"})
    for scheme in ("http://", "https://"):
        session.mount(scheme, _BoundedAdapter(pool_connections=1, pool_maxsize=1))
    return session


def _read(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise InboxUnavailableError(f"HTTP {response.status_code}, an answer of more than {_LARGEST_ANSWER} bytes")
    return bytes(body)


def _describe(error: BaseException) -> str:
    """Name the error and what caused it. Their texts stay out: they hold addresses, and more in releases to come."""
    root = error
    while isinstance(below := root.__cause__ or root.__context__, OSError | HTTPError | HTTPException):
        root = below
    outer, inner = type(error).__name__, type(root).__name__
    return outer if outer == inner else f"{outer} ({inner})"


class _BoundedAdapter(HTTPAdapter):
    """Makes the read timeout a limit on the whole answer: by itself it starts anew with each byte that drips in."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - requests' signature
        """Return the pool that requests chose, with connections that read against a deadline."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls, _Bounded):  # plain, TLS or SOCKS: whichever it is, it stays so
            pool.ConnectionCls = type("BoundedConnection", (_Bounded, pool.ConnectionCls), {})
        return pool


class _BoundedReply(HTTPResponse):
    """An answer whose every byte must arrive before one deadline: the socket's timeout, counted from its beginning."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - http.client's signature
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Countdown(sock, self.fp.detach()))


class _Bounded:
    response_class = _BoundedReply


class _Countdown(io.RawIOBase):
    """Reads from a socket, and gives each read only the time that is left."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        self._deadline = time.monotonic() + (sock.gettimeout() or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - io's signature
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the whole answer did not arrive in time")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
