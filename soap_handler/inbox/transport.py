"""The HTTP transport to an inbox: a POST, bounded in time and in size. Does not read the answer: see client.py.

zeep's own transport would have neither bound, and would write the password to the log at DEBUG.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import requests
from lxml import etree
from urllib3.exceptions import HTTPError

from soap_handler.bounded_http import bounded_session
from soap_handler.connection_faults import no_answer, was_closed
from soap_handler.errors import InboxUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_CHUNK_BYTES: Final = 64 * 1024


class Transport:
    """Posts envelopes for one call after the other, over a connection that is kept alive.

    The proxy and the certificates are those of the settings alone: ``HTTPS_PROXY``, ``.netrc`` and their like in the
    environment do not count.
    """

    def __init__(self, proxy: str | None, ca_bundle: Path | None) -> None:
        self._session = _session(proxy, ca_bundle)
        self._is_kept = False  # whether the connection may be one that answered before

    @contextmanager
    def post(
        self,
        address: str,
        envelope: etree._Element,
        headers: Mapping[str, str],
        timeouts: tuple[float, float],
        largest: int,
    ) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Post an envelope; yield the status of the answer, whatever it is, and its bytes as they come in.

        ``timeouts`` (seconds) are for the connection and for the whole answer, ``largest`` (bytes) is for that too.
        To leave the context early cuts the answer off. A kept connection that the other side closes at that very
        moment is no failure: as each operation may be called twice (RFC 9110, section 9.2.2), it is, in the time left.

        Raises:
            InboxUnavailableError: there was no answer, it breaks off, is not whole in time, or is too large.
        """
        message = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
        with _unavailable():
            response = self._answer_to(address, message, headers, timeouts)
        with response:
            yield response.status_code, _chunks(response, largest)

    def _answer_to(
        self, address: str, message: bytes, headers: Mapping[str, str], timeouts: tuple[float, float]
    ) -> requests.Response:
        connecting, answering = timeouts
        deadline = time.monotonic() + answering
        while True:
            try:
                # A redirect is not followed: it would carry the password to an address that is not in the settings.
                response = self._session.post(
                    address,
                    data=message,
                    headers=headers,
                    timeout=(connecting, answering),
                    stream=True,
                    allow_redirects=False,
                )
            except requests.ConnectionError as error:
                is_kept, self._is_kept = self._is_kept, False
                answering = deadline - time.monotonic()
                if not (is_kept and was_closed(error) and answering > 0):
                    raise
            else:
                self._is_kept = True
                return response

    def close(self) -> None:
        """Close the connection."""
        self._session.close()


def _chunks(response: requests.Response, largest: int) -> Iterator[bytes]:
    left = largest
    pieces = response.iter_content(_CHUNK_BYTES)
    while True:
        with _unavailable():
            chunk = next(pieces, None)
        if chunk is None:
            return
        left -= len(chunk)
        if left < 0:
            raise InboxUnavailableError(f"HTTP {response.status_code}, an answer of more than {largest} bytes")
        yield chunk


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turn everything that the network can raise into our error; requests' own errors are OSErrors."""
    try:
        yield
    except (OSError, HTTPError, ValueError) as error:
        raise InboxUnavailableError(no_answer(error)) from None


def _session(proxy: str | None, ca_bundle: Path | None) -> requests.Session:
    session = bounded_session()
    session.verify = str(ca_bundle) if ca_bundle else True
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
    session.headers["Accept"] = "text/xml"
    return session
