"""One HTTP exchange on a connection of its own, as EMS would have it: no redirect is followed, no proxy is used."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from soap_handler.connection_faults import tls_fault

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from soap_handler.diagnosis.visit import Address

_MAX_BODY: Final = 1_000_000  # bytes; a WSDL has some thousands


class NoAnswerError(Exception):
    """There was no HTTP answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    seconds: float
    """From before the connection to the end of the answer."""
    moment: float
    """When it came, in seconds since the epoch by our clock."""


def ask(
    address: Address,
    context: ssl.SSLContext | None,
    timeout: float,
    *,
    path: str | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """GET a path, or POST a body. Without a ``context`` it is plain HTTP.

    Raises:
        NoAnswerError: there was none.
    """
    began = time.monotonic()
    connection = (
        http.client.HTTPConnection(address.host, address.port, timeout=timeout)
        if context is None
        else http.client.HTTPSConnection(address.host, address.port, timeout=timeout, context=context)
    )
    try:
        connection.request("GET" if body is None else "POST", path or address.path, body, dict(headers or {}))
        response = connection.getresponse()
        content = response.read(_MAX_BODY)
    except TimeoutError:
        raise NoAnswerError(f"no answer within {timeout:g} s") from None
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(f"no answer: {tls_fault(error) or error or type(error).__name__}") from error
    finally:
        connection.close()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, found, content, time.monotonic() - began, time.time())
