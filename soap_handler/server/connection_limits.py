"""Limits on connections: which are closed, so that no caller holds more of the server, or for longer, than is fair.

It decides by looking. How bytes are read and written is ``channel``'s business; when it is asked is the server's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from soap_handler import telemetry
from soap_handler.log_throttle import LogThrottle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.settings import ServerSettings

_SLOW_SECONDS: Final = 0.25  # a request that takes longer to arrive may be cut when its place is wanted


class Connection(Protocol):
    """What is looked at. Times are of the monotonic clock."""

    opened: float
    began: float | None
    """When the request that is arriving began to arrive; ``None`` while none is."""
    active: float
    """When something last came or went."""

    @property
    def held(self) -> bool:
        """Whether its answer is being held back."""

    @property
    def has_pending_response(self) -> bool:
        """Whether a request has come in whose answer is not yet sent."""

    def handle_close(self) -> None:
        """Close it, whatever is in flight."""


class Limits:
    """The limits of one server. For the one thread that listens."""

    def __init__(self, settings: ServerSettings, connections: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow ``connections`` at once: those of the settings, as far as there are files for them."""
        self.connections = connections
        """How many may be open at once."""
        self._request_timeout = settings.request_timeout
        self._idle_timeout = settings.idle_timeout
        self._clock = clock
        self._log_throttle = LogThrottle(clock)

    def cut_overdue(self, connections: Sequence[Connection]) -> None:
        """Close the connections whose time is over: for sending a request, for reading an answer, or for being idle."""
        now = self._clock()
        for connection in connections:
            reason = self._overdue(connection, now)
            if reason is not None:
                self._cut(connection, reason)

    def make_room(self, connections: Sequence[Connection]) -> None:
        """Close as many connections as there are too many."""
        excess = len(connections) - self.connections
        if excess <= 0:
            return
        now = self._clock()
        newest = max(connections, key=lambda each: each.opened)
        for connection in sorted(connections, key=lambda each: self._rank(each, newest, now))[:excess]:
            self._cut(connection, "too_many_connections")

    def _overdue(self, connection: Connection, now: float) -> str | None:
        if connection.has_pending_response:
            # A connection that is held back or worked on was active lately; one whose caller does not read was not.
            stuck = not connection.held and now - connection.active > self._idle_timeout
            return "answer_not_read" if stuck else None
        if connection.began is not None:
            return "request_too_slow" if now - connection.began > self._request_timeout else None
        never_used = connection.active == connection.opened
        allowed = min(self._request_timeout, self._idle_timeout) if never_used else self._idle_timeout
        return "idle" if now - connection.active > allowed else None

    @staticmethod
    def _rank(connection: Connection, newest: Connection, now: float) -> tuple[int, float]:
        """Return a sort key, least loss first: idle, refused and held back, slow, newest, all others."""
        if connection is newest:
            return 3, 0.0
        if connection.held:
            return 1, connection.active
        if connection.began is None and not connection.has_pending_response:
            return 0, connection.active
        began = None if connection.has_pending_response else connection.began
        if began is not None and now - began > _SLOW_SECONDS:
            return 2, began
        return 4, -connection.opened

    def _cut(self, connection: Connection, reason: str) -> None:
        connection.handle_close()
        if reason != "idle" and (times := self._log_throttle.due(reason)):
            telemetry.emit("connections_cut", reason=reason, times=times)
