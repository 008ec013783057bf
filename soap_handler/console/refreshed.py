"""A refreshed value: looked for in the background when it is old, so that a slow look holds up no request."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from soap_handler import telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_WAIT_SECONDS: Final = 2.0
_SHARE: Final = 20  # a value is kept for so many times as long as it took: no more than a twentieth of one processor


class Refreshed(Generic[T]):
    """Keeps the latest value of a function. Thread-safe; the function runs in one thread at a time."""

    def __init__(
        self,
        function: Callable[[], T],
        kept: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        wait_seconds: float = _WAIT_SECONDS,
    ) -> None:
        """``kept`` is for how many seconds a value is fresh; one that took long to find out is kept for longer.

        A fresh value is waited for ``wait_seconds`` long; then the last one has to do. An error of the function leaves
        no value.
        """
        self._function = function
        self._kept = kept
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._value: T | None = None
        self._fresh_until = float("-inf")
        self._under_way: threading.Event | None = None

    def get(self) -> T | None:
        """Return the value, refreshed where that is quick; ``None`` where there is none."""
        with self._lock:
            if self._clock() < self._fresh_until:
                return self._value
            done = self._under_way
            if done is None:
                done = self._under_way = threading.Event()
                threading.Thread(target=self._refresh, args=(done,), name="console refresh", daemon=True).start()
        done.wait(self._wait_seconds)
        return self._value

    def _refresh(self, done: threading.Event) -> None:
        begun = self._clock()
        value: T | None = None
        try:
            value = self._function()
        except Exception as error:  # noqa: BLE001 - a defect here must not end what is asked next
            telemetry.emit("console_broke", exc_info=error)
        took = self._clock() - begun
        with self._lock:
            self._value, self._under_way = value, None
            self._fresh_until = self._clock() + max(self._kept, took * _SHARE)
        done.set()
