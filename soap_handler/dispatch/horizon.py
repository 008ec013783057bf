"""The horizon of a destination: in the order of due times, the queue holds nothing of it before that instant.

A search from the horizon on does not step over the backlog of another, slow destination, again with each claim. The
trade-off: what becomes due behind it after all (a result that was late, a commit that took long) waits for the next
search of the whole queue, a minute at most.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from soap_handler.journal.scope import Scope

WHOLE_SEARCH_SECONDS: Final = 60.0
"""Between two searches of the whole queue."""
MARGIN: Final = timedelta(seconds=5)
"""A due time is taken before the commit that makes it visible; no usual commit takes longer."""


class Horizon:
    """The horizon of one claim loop. Not thread-safe."""

    def __init__(self, scope: Scope | None, clock: Callable[[], float] = time.monotonic) -> None:
        """``scope`` is the destination's part of the queue; ``None``: all of it, which needs no horizon."""
        self._whole = scope
        self._clock = clock
        self._since: datetime | None = None
        self._searched_whole = 0.0
        self._searches_whole = True  # as the scope that was asked for last

    @property
    def scope(self) -> Scope | None:
        """The part of the queue to search now."""
        self._searches_whole = self._since is None or self._clock() - self._searched_whole >= WHOLE_SEARCH_SECONDS
        if self._whole is None or self._searches_whole:
            return self._whole
        return replace(self._whole, since=self._since)

    def found(self, first: datetime | None, now: datetime) -> None:
        """Raise the low watermark: nothing in :attr:`scope` is due before ``first``; ``None``: it is empty.

        What was searched is the scope that was asked for last.

        ``now`` is of the queue's clock, from before the search.
        """
        if self._whole is None:
            return
        if self._searches_whole:
            self._searched_whole = self._clock()
        self._since = now - MARGIN if first is None else min(first, now - MARGIN)
