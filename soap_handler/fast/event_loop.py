"""Waits for what happens on many connections, at a cost that does not grow with those on which nothing does.

waitress asks each connection at every turn whether it would read or write. Here those that only wait for a request are
asked once, and again after something happened on them: before the next rest, or when more comes before that. What is
done when something happens is waitress's business.

Where several processes listen on one port, each is woken by a connection, and one takes it: whoever may. The others
leave it for a moment, and take it themselves if it is still there then.
"""

from __future__ import annotations

import math
import select
import time
from typing import TYPE_CHECKING, Any, Final

from waitress import wasyncore

if TYPE_CHECKING:
    from collections.abc import Callable

_MAY_POLL: Final = hasattr(select, "poll")  # Windows has none
_TOGETHER: Final = 64  # connections that are accepted before those there are get their turn
_MOMENT: Final = 0.00015  # seconds: as long as a caller needs who is near and sends the next request at once
_LEFT: Final = 0.005  # seconds: who could not accept by then is too busy, or hangs
_READING: Final = select.POLLIN | select.POLLPRI if _MAY_POLL else 0
_CONNECTED: Final = select.POLLIN if _MAY_POLL else 0  # what a listening socket has to say


class Sockets(dict[int, Any]):
    """waitress's map of what it listens to, by file number, which remembers where something came or went."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: set[int] = set()
        """The numbers; whoever has looked at them empties it."""

    def __setitem__(self, number: int, found: Any) -> None:  # noqa: ANN401 - waitress has no types
        self.changed.add(number)
        super().__setitem__(number, found)

    def __delitem__(self, number: int) -> None:
        self.changed.add(number)
        super().__delitem__(number)


class Poller:
    """Takes turns for the sockets of one waitress server. For the thread of its I/O loop alone."""

    def __init__(
        self,
        sockets: Sockets,
        may_accept: Callable[[], bool],
        is_idle: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``sockets`` is waitress's map, which changes all the time.

        ``may_accept`` is asked when there is a connection, which another process may listen for too. ``is_idle`` says
        whether nothing is waited for but callers: where the last one called in a moment, we then stay awake for such a
        moment. To be woken takes longer, and what runs then has to be fetched into the processor again.
        """
        self._sockets = sockets
        self._may_accept = may_accept
        self._is_idle = is_idle
        self._clock = clock
        self._expecting = False  # whether the last wait was a short one
        self._left: dict[int, float] = {}  # listening sockets that have a connection for others, and until when
        self._poll = select.poll() if _MAY_POLL else None
        self._wishes: dict[int, int] = {}
        self._watched: dict[int, Callable[[], None]] = {}
        self._unsettled: set[int] = set()

    @property
    def can_watch(self) -> bool:
        """Whether :meth:`watch` works on this system."""
        return self._poll is not None

    def watch(self, number: int, call: Callable[[], None] | None, *, writing: bool = False) -> None:
        """Have this called in a turn when a file that is none of waitress's has something to read, or room to write.

        ``None`` ends that, and must come before the file is closed.
        """
        assert self._poll is not None  # noqa: S101 - tells mypy what can_watch said
        if call is None:
            del self._watched[number]
            self._poll.unregister(number)
        else:
            self._watched[number] = call
            self._poll.register(number, _READING | (select.POLLOUT if writing else 0))

    def turn(self, timeout: float) -> None:
        """Wait until something happens, for ``timeout`` seconds at most, and let it be handled."""
        if self._poll is None:
            wasyncore.loop(timeout=timeout, map=self._sockets, count=1)
            return
        if self._left:
            timeout = min(timeout, self._take_left())
        self._look(all_of_them=timeout > 0)
        for number, flags in self._wait(timeout):
            if number in self._watched:
                self._watched[number]()
                continue
            found = self._sockets.get(number)
            if found is None:  # what happened before has closed it
                continue
            self._unsettled.add(number)
            if found.accepting:
                self._accept(number, found)
            elif self._wishes[number] != _READING or found.readable():  # it may have changed its mind
                wasyncore.readwrite(found, flags)

    def _wait(self, timeout: float) -> list[tuple[int, int]]:
        """Return the files on which something happens, and what."""
        assert self._poll is not None  # noqa: S101 - tells mypy what turn made sure of
        if timeout <= 0:
            return self._poll.poll(0)
        happened: list[tuple[int, int]] = []
        begun = self._clock()
        awake = self._expecting and self._is_idle()
        while awake and not happened and self._clock() - begun < _MOMENT:
            happened = self._poll.poll(0)
        happened = happened or self._poll.poll(math.ceil(timeout * 1000))
        self._expecting = self._clock() - begun < _MOMENT
        return happened

    def _accept(self, number: int, listener: Any) -> None:  # noqa: ANN401 - waitress has no types
        """Accept what waits, or leave it to others for a moment. waitress would take one connection at each turn."""
        for _ in range(_TOGETHER):
            if not self._may_accept():
                self._left.setdefault(number, self._clock() + _LEFT)
                break
            known = len(self._sockets)
            wasyncore.readwrite(listener, _CONNECTED)
            if len(self._sockets) == known:
                break

    def _take_left(self) -> float:
        """Accept what the others have left too; return for how long (seconds) they may still take something."""
        now = self._clock()
        for number in [number for number, until in self._left.items() if until <= now]:
            del self._left[number]
            found = self._sockets.get(number)
            if found is not None and found.accepting:  # the number may be a connection's by now
                wasyncore.readwrite(found, _CONNECTED)
        return min(self._left.values(), default=math.inf) - now

    def _look(self, *, all_of_them: bool) -> None:
        """Ask the new ones what they wait for, and the unsettled ones too where there is going to be a rest."""
        some = self._sockets.changed.copy()
        if all_of_them:
            some |= self._unsettled
        self._sockets.changed.clear()
        for number in some:
            found = self._sockets.get(number)
            if self._wishes.get(number) == _READING and getattr(found, "rests", False):
                self._unsettled.discard(number)
            else:
                self._await(number, found, 0 if found is None or number in self._left else _wish(found))

    def _await(self, number: int, found: Any, wish: int) -> None:  # noqa: ANN401 - waitress has no types
        assert self._poll is not None  # noqa: S101 - tells mypy what turn made sure of
        before = self._wishes.pop(number, 0)
        if wish and wish != before:
            self._poll.register(number, wish)
        elif before and not wish:
            self._poll.unregister(number)
        if found is not None:
            self._wishes[number] = wish
        # Whoever waits for nothing but a request stays so until it comes; of the others a thread may change the wish.
        if found is None or getattr(found, "rests", False):
            self._unsettled.discard(number)
        else:
            self._unsettled.add(number)


def _wish(found: Any) -> int:  # noqa: ANN401 - waitress has no types
    wish = _READING if found.readable() else 0
    if found.writable() and not found.accepting:
        wish |= select.POLLOUT
    return wish
