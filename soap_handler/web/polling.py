"""Waits for what happens on many connections, at a cost that does not grow with those on which nothing does.

waitress asks each connection at every turn whether it would read or write. Here those that only wait for a request are
asked once, and again after something happened on them. What is done when something happens is waitress's business.
"""

from __future__ import annotations

import select
from typing import Any, Final

from waitress import wasyncore

_MAY_POLL: Final = hasattr(select, "poll")  # Windows has none
_READING: Final = select.POLLIN | select.POLLPRI if _MAY_POLL else 0


class Poller:
    """Takes turns for the sockets of one waitress server. For the thread of its I/O loop alone."""

    def __init__(self, sockets: dict[int, Any]) -> None:
        """``sockets`` is waitress's map, which changes all the time."""
        self._sockets = sockets
        self._poll = select.poll() if _MAY_POLL else None
        self._known: dict[int, tuple[Any, int]] = {}
        self._unsettled: set[int] = set()

    def turn(self, timeout: float) -> None:
        """Wait until something happens, for ``timeout`` seconds at most, and let it be handled."""
        if self._poll is None:
            wasyncore.loop(timeout=timeout, map=self._sockets, count=1)
            return
        self._look()
        for number, flags in self._poll.poll(int(timeout * 1000)):
            found = self._sockets.get(number)
            if found is not None:  # what happened before may have closed it
                wasyncore.readwrite(found, flags)
                self._unsettled.add(number)

    def _look(self) -> None:
        """Ask the new ones and the unsettled ones what they wait for."""
        for number in self._known.keys() - self._sockets.keys():
            self._await(number, None, 0)
        for number, found in list(self._sockets.items()):
            known = self._known.get(number)
            if known is None or known[0] is not found or number in self._unsettled:
                self._await(number, found, _wish(found))

    def _await(self, number: int, found: Any, wish: int) -> None:  # noqa: ANN401 - waitress has no types
        assert self._poll is not None  # noqa: S101 - tells mypy what turn made sure of
        before = self._known.pop(number, (None, 0))[1]
        if wish and wish != before:
            self._poll.register(number, wish)
        elif before and not wish:
            self._poll.unregister(number)
        if found is not None:
            self._known[number] = (found, wish)
        # Whoever waits for nothing but a request stays so until it comes; of the others a thread may change the wish.
        if found is None or (wish == _READING and hasattr(found, "owes")):
            self._unsettled.discard(number)
        else:
            self._unsettled.add(number)


def _wish(found: Any) -> int:  # noqa: ANN401 - waitress has no types
    wish = _READING if found.readable() else 0
    if found.writable() and not found.accepting:
        wish |= select.POLLOUT
    return wish
