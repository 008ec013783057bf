"""Batches of a sink: deliveries that wait while requests are under way go together in the next one.

As in a group commit, a lone delivery waits for no other, and under load each request takes all that has gathered. Each
delivery keeps its thread until it is answered, so leases, order and attempts are those of single deliveries. The
trade-off: a batch of fifty takes fifty threads, which sleep.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.errors import SinkDownError

Content = TypeVar("Content")
"""What a sink sends of one delivery."""


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Content]):
    """A delivery whose thread waits: for its answer, or to lead the next request."""

    content: Content
    error: Exception | None = None
    answered: bool = False
    woken: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


class Together(Generic[Content]):
    """Gathers deliveries. Thread-safe. The thread of one of them, the leader, makes the request for all."""

    def __init__(
        self, send: Callable[[Sequence[Content]], Sequence[Exception | None]], *, most: int, at_once: int
    ) -> None:
        """``send`` delivers up to ``most`` and says of each what went wrong; it is called by ``at_once`` threads."""
        self._send = send
        self._most = most
        self._at_once = at_once
        self._lock = threading.Lock()
        self._under_way = 0
        self._waiting: deque[_Waiting[Content]] = deque()

    def deliver(self, content: Content) -> None:
        """Deliver, perhaps with others; raise what went wrong with this one."""
        mine = _Waiting(content)
        with self._lock:
            leads = self._under_way < self._at_once
            if leads:
                self._under_way += 1
            else:
                self._waiting.append(mine)
        if not leads:
            mine.woken.acquire()
        if not mine.answered:
            self._lead(mine)
        if mine.error is not None:
            raise mine.error

    def _lead(self, mine: _Waiting[Content]) -> None:
        """Make a request for this delivery and those that wait, then hand on the lead."""
        with self._lock:
            others = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._most - 1))]
        errors: Sequence[Exception | None] = [RuntimeError("the request was not made")] * (1 + len(others))
        try:
            errors = self._send([each.content for each in (mine, *others)])
        finally:
            for each, error in zip((mine, *others), errors, strict=True):
                each.error, each.answered = error, True
                each.woken.release()
            self._hand_on()

    def _hand_on(self) -> None:
        with self._lock:
            following = self._waiting.popleft() if self._waiting else None
            if following is None:
                self._under_way -= 1
        if following is not None:
            following.woken.release()


def for_each(error: SinkDownError, count: int) -> list[SinkDownError]:
    """Return an error of one request for each of its deliveries. It counts as one failure of the destination."""
    echoes = [copy.copy(error) for _ in range(count - 1)]
    for each in echoes:
        each.is_echo = True
    return [error, *echoes]
