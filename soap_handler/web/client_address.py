"""Who is calling: the caller's address and scheme behind proxies, and whether that address may call at all."""

from __future__ import annotations

import ipaddress
import re
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.log_throttle import LogThrottle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address
    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNKNOWN: Final = "unknown"
"""In the place of a caller's address, when a trusted proxy names none that can be read."""

_WITH_PORT: Final = re.compile(r"\[(?P<six>[^\]]*)\](:\d+)?|(?P<four>\d+\.\d+\.\d+\.\d+):\d+")
_MAX_LENGTH: Final = 64  # characters of an address with its zone
_CACHED_ADDRESSES: Final = 1024  # a few callers call again and again


class Callers:
    """An allow-list of callers and the list of trusted proxies. Thread-safe.

    Without allowed networks every caller is allowed. ``X-Forwarded-For`` and ``X-Forwarded-Proto`` count only when
    the peer, which holds the connection, is a trusted proxy. From any other peer they are ignored.
    """

    def __init__(self, allow_from: Iterable[Network] = (), trusted_proxies: Iterable[Network] = ()) -> None:
        self._allowed = tuple(allow_from)
        self._trusted = tuple(trusted_proxies)
        self._refused = 0
        self._lock = threading.Lock()
        self._log_throttle = LogThrottle()

    @property
    def has_rules(self) -> bool:
        """Whether there is a proxy to look behind, or a caller that may not call."""
        return bool(self._allowed or self._trusted)

    @property
    def refused(self) -> int:
        """How many requests came from addresses that are not allowed."""
        return self._refused

    def check(self, environ: Mapping[str, Any]) -> tuple[str, bool]:
        """Return the caller's address and whether it may call. A caller that may not is counted and logged."""
        caller = self.address(environ)
        if self.allows(caller):
            return caller, True
        with self._lock:
            self._refused += 1
        if times := self._log_throttle.due(caller):
            length = str(environ.get("CONTENT_LENGTH", ""))
            size = int(length) if length.isdecimal() else None
            telemetry.emit("address_refused", caller=caller, size=size, times=times, count=self._refused)
        return caller, False

    def allows(self, caller: str) -> bool:
        """Whether a caller, as :meth:`address` returns it, may call. Counts and logs nothing."""
        return not self._allowed or _within(read_address(caller), self._allowed)

    def address(self, environ: Mapping[str, Any]) -> str:
        """Return the caller's address: the right-most one that is not a trusted proxy, or ``unknown``.

        Each proxy appends the address that called it, so what stands further left may be invented by the caller. When
        all of them are trusted, the caller is the first. A peer without an address, as on a Unix socket, is
        ``unknown``.
        """
        peer = read_address(environ.get("REMOTE_ADDR", ""))
        if not self._is_trusted(peer):
            return _named(peer)
        found = peer
        for entry in reversed(_entries(environ)):
            found = read_address(entry)
            if not self._is_trusted(found):
                break
        return _named(found)

    def scheme(self, environ: Mapping[str, Any]) -> str:
        """Return ``http`` or ``https``: how the caller reached the proxy, or us."""
        said = str(environ.get("HTTP_X_FORWARDED_PROTO", "")).rpartition(",")[2].strip().lower()
        if said in {"http", "https"} and self._is_trusted(read_address(environ.get("REMOTE_ADDR", ""))):
            return said
        return str(environ["wsgi.url_scheme"])

    def _is_trusted(self, address: Address | None) -> bool:
        return _within(address, self._trusted)


@lru_cache(maxsize=_CACHED_ADDRESSES)
def read_address(text: str) -> Address | None:
    """Return the address in a text, without port, brackets and zone; an IPv4 address inside IPv6 as what it is."""
    text = text.strip().strip('"')
    if len(text) > _MAX_LENGTH:
        return None
    bare = _WITH_PORT.fullmatch(text)
    if bare is not None:
        text = bare["six"] if bare["six"] is not None else bare["four"]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def shown(peer: str) -> str:
    """Return the address of a peer in the form in which callers are named, or ``unknown``."""
    return _named(read_address(peer))


def _entries(environ: Mapping[str, Any]) -> list[str]:
    header = str(environ.get("HTTP_X_FORWARDED_FOR", ""))
    return [entry for entry in header.split(",") if entry.strip()]


def _within(address: Address | None, networks: tuple[Network, ...]) -> bool:
    return address is not None and any(address in network for network in networks)


@lru_cache(maxsize=_CACHED_ADDRESSES)
def _named(address: Address | None) -> str:
    return UNKNOWN if address is None else str(address)
