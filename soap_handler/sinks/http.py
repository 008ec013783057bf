"""HTTP for sinks: sessions that are kept, with deadlines, and the words for what went wrong."""

from __future__ import annotations

import email.utils
import threading
import time
from typing import TYPE_CHECKING, Final

import requests
from urllib3.exceptions import HTTPError

from soap_handler.bounded_http import bounded_session
from soap_handler.connection_faults import no_answer
from soap_handler.errors import SinkDownError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CONNECT_SECONDS: Final = 10.0  # at most, of the whole time
_ANSWER_BYTES: Final = 64 * 1024  # that are read; then the connection is given up
_IDLE_SECONDS: Final = 50.0  # after which a connection is not used again: firewalls and load balancers forget it
_PAUSE_LIMIT_SECONDS: Final = 86400.0  # whatever an endpoint asks for, or a clock that differs makes of it


class Sessions:
    """Sessions of requests, each in use by one thread at a time. Connections are kept alive. Thread-safe.

    Proxy and certificates are those of the settings alone: ``HTTPS_PROXY``, ``.netrc`` and their like do not count.
    The head of a request is prepared once and copied. Cookies and redirects, which a session looks after with each
    request, are not followed: without them a delivery takes two thirds of the CPU time.
    """

    def __init__(
        self,
        *,
        timeout: float,
        ca_bundle: Path | None = None,
        client_certificate: Path | None = None,
        client_key: Path | None = None,
        proxy: str | None = None,
    ) -> None:
        """``timeout`` is for the whole answer, in seconds."""
        self._timeouts = (min(timeout, _CONNECT_SECONDS), timeout)
        self._verify = str(ca_bundle) if ca_bundle else True
        self._certificate = _pair(client_certificate, client_key)
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._heads: dict[tuple[str, str, str], requests.PreparedRequest] = {}
        self._idle: list[tuple[requests.Session, float]] = []  # with the monotonic time of their last use
        self._lock = threading.Lock()

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, data: bytes = b"", params: str = ""
    ) -> Reply:
        """Send a request and return the answer, whatever its status. A redirect is not followed.

        Raises:
            SinkDownError: there was no answer, or not in time.
        """
        session = self._take()
        try:
            prepared = self._head(session, method, url, params).copy()
            prepared.headers.update(headers or {})
            if data:
                prepared.body = data
                prepared.headers["Content-Length"] = str(len(data))
            with session.get_adapter(url).send(
                prepared,
                stream=True,
                timeout=self._timeouts,
                verify=self._verify,
                cert=self._certificate,
                proxies=self._proxies,
            ) as answer:
                reply = Reply(answer.status_code, answer.headers, _beginning(answer))
        except (OSError, HTTPError, ValueError) as error:
            session.close()  # after an error, a connection is not used again
            raise SinkDownError(no_answer(error)) from error
        with self._lock:
            self._idle.append((session, time.monotonic()))
        return reply

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session, _ in idle:
            session.close()

    def _head(self, session: requests.Session, method: str, url: str, params: str) -> requests.PreparedRequest:
        """Return the request without its body and its own headers, prepared once."""
        known = self._heads.get((method, url, params))
        if known is None:
            known = session.prepare_request(requests.Request(method, url, params=params))
            self._heads[method, url, params] = known
        return known

    def _take(self) -> requests.Session:
        """Return the session that rested least, or a new one where even that has rested for long."""
        with self._lock:
            if self._idle and time.monotonic() - self._idle[-1][1] < _IDLE_SECONDS:
                return self._idle.pop()[0]
        self.close()
        return bounded_session()


class Reply:
    """An answer: its status, headers, and the beginning of its body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def retry_after(self) -> float | None:
        """The seconds that ``Retry-After`` asks for, written as seconds or as a date; ``None``: it asks for none."""
        text = self.headers.get("Retry-After", "").strip()
        if text.isdecimal():
            return min(float(text[:9]), _PAUSE_LIMIT_SECONDS)
        try:
            asked = email.utils.parsedate_to_datetime(text).timestamp() - time.time() if text else None
        except ValueError:
            return None
        return None if asked is None else min(max(0.0, asked), _PAUSE_LIMIT_SECONDS)


def _beginning(answer: requests.Response) -> bytes:
    """Return the body, or the beginning of one that is too long.

    It is read to its end, which for a chunked one comes behind the last chunk: before that its connection is not free
    for the next request.
    """
    body = bytearray()
    for piece in answer.iter_content(_ANSWER_BYTES):
        body += piece
        if len(body) >= _ANSWER_BYTES:
            break
    return bytes(body)


def _pair(certificate: Path | None, key: Path | None) -> str | tuple[str, str] | None:
    if certificate is None:
        return None
    return str(certificate) if key is None else (str(certificate), str(key))
