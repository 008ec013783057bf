"""HTTP answers that are bounded in time: a session of requests whose read timeout holds for the whole answer."""

from __future__ import annotations

import io
import time
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    import socket


def bounded_session() -> requests.Session:
    """Return a session with one connection, which is kept alive, and answers that are bounded.

    Nothing of the environment counts, as ``HTTPS_PROXY`` or ``.netrc``, and no cookie is kept: the next call may be of
    another account.
    """
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers.update({"User-Agent": "soap-handler", "Accept-Encoding": "identity"})
    for scheme in ("http://", "https://"):
        session.mount(scheme, _BoundedAdapter(pool_connections=1, pool_maxsize=1))
    return session


class _BoundedAdapter(HTTPAdapter):
    """An adapter whose read timeout is a deadline for the whole answer: requests' own starts anew with each byte."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - requests' signature
        """Return the pool that requests chose, with connections that read against a deadline."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls, _Bounded):  # plain, TLS or SOCKS: the kind stays the same
            pool.ConnectionCls = type("BoundedConnection", (_Bounded, pool.ConnectionCls), {})
        return pool


class _BoundedResponse(HTTPResponse):
    """An answer whose every byte must arrive before one deadline: the socket's timeout, counted from the start."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - http.client's signature
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(sock, self.fp.detach()))


class _Bounded:
    """Mixed into a connection class: its answers are read against a deadline."""

    response_class = _BoundedResponse


class _DeadlineReader(io.RawIOBase):
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
