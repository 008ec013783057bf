"""Origins: from where a request comes, and by which name the console was called. Guards against other web sites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from flask import request

from soap_handler.web.client_address import read_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from soap_handler.web.client_address import Callers

READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that change nothing."""
_OF_A_PROXY: Final = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Forwarded", "Via")
_OTHER_SITES: Final = frozenset({"cross-site", "same-site"})


def is_here() -> bool:
    """Whether the caller is on this machine. A request that a proxy on this machine hands on is not from here."""
    peer = read_address(request.environ.get("REMOTE_ADDR", ""))
    return peer is not None and peer.is_loopback and not any(name in request.headers for name in _OF_A_PROXY)


def is_https(callers: Callers) -> bool:
    """Whether the browser reached the console, or the trusted proxy before it, by https."""
    return callers.scheme(request.environ) == "https"


def is_known_name(known: Iterable[str]) -> bool:
    """Whether the Host header is one that DNS rebinding cannot forge: an address, localhost, or one of these names.

    A request without the header comes from no browser.
    """
    host = request.headers.get("Host")
    if host is None:
        return True
    name = _name_in(host)
    return name == "localhost" or read_address(name) is not None or name in _lower(known)


def is_from_elsewhere(callers: Callers, known: Iterable[str]) -> bool:
    """Whether a browser says that a page of another origin made this request.

    Cookies of another port, or of a sibling domain, would be sent with it: a token alone is one guard, this another.
    """
    if request.headers.get("Sec-Fetch-Site", "").lower() in _OTHER_SITES:
        return request.method not in READS or request.headers.get("Sec-Fetch-Mode", "").lower() != "navigate"
    origin = request.headers.get("Origin")
    if origin is None or request.method in READS:
        return False
    try:
        parts = urlsplit(origin)
        own = parts.netloc.lower() == request.headers.get("Host", "").lower() or parts.hostname in _lower(known)
    except ValueError:
        return True
    return not own or parts.scheme not in ({"https"} if is_https(callers) else {"http", "https"})


def _lower(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


def _name_in(host: str) -> str:
    """Return the name in a Host header, without the port and the dot at its end."""
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return ""
