"""Loop takeover: when a commit in the I/O loop meets a disk that stands still, another thread goes on with the loop.

The thread that is stuck inside the journal ends when the disk lets it go. Until then nothing can be committed, but
callers are told so in time, and the service can be stopped. The calling thread only watches: where that is the main
thread, signals reach the service although its loop is stuck.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.fast.batching import LoopTakenOverError

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.fast.batching import BatchingDispatcher

STALL_SECONDS: Final = 0.5
"""A loop that is inside the journal for so long is taken over."""
_WATCH_SECONDS: Final = 0.5  # between two looks


class LoopTakeover:
    """Runs a loop in threads, one after the other, each when the one before is stuck."""

    def __init__(self, dispatcher: BatchingDispatcher) -> None:
        self._dispatcher = dispatcher
        self._ended = threading.Event()
        self._answered = False
        self._defect: Exception | None = None

    def run(self, loop: Callable[[], bool]) -> bool:
        """Run a loop, which can be entered again in another thread, to its end; return what it returned.

        An exception of the loop is raised here.
        """
        thread = self._start(loop)
        while not self._ended.wait(_WATCH_SECONDS):
            if self._dispatcher.take_over(STALL_SECONDS):
                telemetry.emit("loop_taken_over", seconds=STALL_SECONDS)
                thread = self._start(loop)
        thread.join()
        if self._defect is not None:
            raise self._defect
        return self._answered

    def _start(self, loop: Callable[[], bool]) -> threading.Thread:
        thread = threading.Thread(target=self._run, args=(loop,), name="loop", daemon=True)
        thread.start()
        return thread

    def _run(self, loop: Callable[[], bool]) -> None:
        try:
            self._answered = loop()
        except LoopTakenOverError:
            return
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that waits for the end
            self._defect = error
        self._ended.set()
