"""Connections to the inboxes, kept alive and shared by all accounts whose inbox has one address. They call nothing."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.inbox.transport import Transport
    from soap_handler.settings import InboxSettings

_IDLE_SECONDS: Final = 60.0  # a firewall that forgets a connection does so after some minutes, and says nothing
_MOST_IDLE: Final = 32  # of all inboxes together; EMS need not hold one for each of a thousand accounts


class _Idle(NamedTuple):
    """A connection that waits for its next call."""

    since: float
    way: tuple[object, ...]
    transport: Transport


class Connections:
    """A pool of connections. Thread-safe; its builder closes it.

    A handshake of TLS costs more than a call, so a connection serves one account after the other. It knows no account:
    credentials go with each call, and cookies are not kept.
    """

    def __init__(self, *, idle_seconds: float = _IDLE_SECONDS, most_idle: int = _MOST_IDLE) -> None:
        """Keep ``most_idle`` connections that wait for a call, each for no longer than ``idle_seconds``."""
        self._idle_seconds = idle_seconds
        self._most_idle = most_idle
        self._idle: list[_Idle] = []  # idle longest first
        self._closed = False
        self._lock = threading.Lock()

    @property
    def idle(self) -> int:
        """How many connections wait for their next call."""
        return len(self._idle)

    @contextmanager
    def to(self, inbox: InboxSettings) -> Iterator[Transport]:
        """Lend the connection to this inbox that was used last, or a new one, for one call at a time."""
        self.close_idle()
        way = (inbox.url, inbox.proxy, inbox.ca_bundle)
        with self._lock:
            found = next((each for each in reversed(self._idle) if each.way == way), None)
            if found is not None:
                self._idle.remove(found)
        transport = _opened(inbox) if found is None else found.transport
        try:
            yield transport
        finally:
            with self._lock:
                self._idle.append(_Idle(time.monotonic(), way, transport))
            self.close_idle()

    def close_idle(self) -> None:
        """Close the connections that have not been used for long, and those that are too many."""
        before = float("inf") if self._closed else time.monotonic() - self._idle_seconds
        with self._lock:
            surplus = len(self._idle) - self._most_idle
            kept = [each for place, each in enumerate(self._idle) if each.since > before and place >= surplus]
            ended, self._idle = [each for each in self._idle if each not in kept], kept
        for each in ended:
            each.transport.close()

    def close(self) -> None:
        """Close all; one that is in use, at the end of its call."""
        self._closed = True
        self.close_idle()


def _opened(inbox: InboxSettings) -> Transport:
    """Return a new connection, which connects at its first call."""
    from soap_handler.inbox.transport import Transport  # noqa: PLC0415 - it imports requests; a start need not wait

    return Transport(inbox.proxy, inbox.ca_bundle)
