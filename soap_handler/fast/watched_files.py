"""Files that waitress's loop looks after beside its own sockets, such as a database connection's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class WatchedFiles:
    """Puts files into waitress's socket map and calls back when something happens on them. For the loop's thread."""

    def __init__(self, sockets: dict[int, Any]) -> None:
        self._sockets = sockets

    def watch(self, number: int, call: Callable[[], None] | None, *, writing: bool = False) -> None:
        """Call this when a file has something to read (or room to write); with ``None``, no more.

        The latter must come before the file is closed.
        """
        if call is None:
            self._sockets.pop(number, None)
        else:
            self._sockets[number] = _WatchedFile(self._sockets, number, call, writing=writing)


class _WatchedFile:
    """A file as ``waitress.wasyncore`` sees it: whatever happens on it leads to the same call."""

    accepting = False

    def __init__(self, sockets: dict[int, Any], number: int, call: Callable[[], None], *, writing: bool) -> None:
        self._sockets = sockets
        self._number = number
        self._call = call
        self._writing = writing

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return self._writing

    def handle_read_event(self) -> None:
        if self._sockets.get(self._number) is self:  # one poll may report several things, and the first end it
            self._call()

    handle_write_event = handle_expt_event = handle_close = handle_error = handle_read_event

    def close(self) -> None:
        self._sockets.pop(self._number, None)
