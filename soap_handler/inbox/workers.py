"""Worker threads for the calls to the inboxes: made when there is work, gone when there is none. It knows no inbox."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

_IDLE_SECONDS: Final = 5.0  # after which a thread without work ends


class Workers:
    """Carries out tasks in daemon threads, a bounded number at once. A task must not raise."""

    def __init__(self, name: str, most: int, *, idle_seconds: float = _IDLE_SECONDS) -> None:
        """``most`` threads at once, named ``name``. One that has no work for ``idle_seconds`` ends."""
        self._name = name
        self._most = most
        self._idle_seconds = idle_seconds
        self._tasks: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads: set[threading.Thread] = set()
        self._free = 0  # threads that wait for a task, less the tasks that wait for a thread
        self._lock = threading.Lock()

    def submit(self, task: Callable[[], object]) -> None:
        """Have a task carried out as soon as there is a thread for it, and return at once.

        Where the system refuses a thread, one of the others takes it; where there is none, the caller's own does.
        """
        with self._lock:
            if self._free <= 0 and len(self._threads) < self._most:
                self._start()
            has_thread = bool(self._threads)
            if has_thread:
                self._free -= 1
                self._tasks.put(task)
        if not has_thread:
            task()

    def _start(self) -> None:
        """Start a thread, which waits for a task, if the system has one left."""
        thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            telemetry.emit("inbox_thread_not_started", error=str(error))
            return
        self._threads.add(thread)
        self._free += 1

    def stop(self) -> list[Callable[[], object]]:
        """Let each thread end after its present task; return the tasks that have no thread yet."""
        left: list[Callable[[], object]] = []
        with self._lock:
            with suppress(Empty):
                while True:
                    task = self._tasks.get_nowait()
                    left += [task] if task else []
            for _ in self._threads:
                self._tasks.put(None)
        return left

    def _work(self) -> None:
        while (task := self._next()) is not None:
            task()
            with self._lock:
                self._free += 1

    def _next(self) -> Callable[[], object] | None:
        """Return the next task, or ``None`` for the end of this thread."""
        try:
            task = self._tasks.get(timeout=self._idle_seconds)
        except Empty:
            task = None
        with self._lock:
            if task is None:
                with suppress(Empty):  # one that came just now
                    task = self._tasks.get_nowait()
            if task is None:
                self._free -= 1
                self._threads.discard(threading.current_thread())
        return task
