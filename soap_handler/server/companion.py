"""A companion: one process beside the workers, restarted when it dies, on which no push depends. The console is one."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.server.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.server.worker_process import ParentLink

_END_SECONDS: Final = 2.0  # to end by itself, once the workers have ended
_END_POLL_SECONDS: Final = 0.02


class Companion:
    """Keeps one process running from the first :meth:`tend` to :meth:`end`. For the supervisor, in its only thread."""

    def __init__(self, work: Callable[[ParentLink], int], slot: int) -> None:
        """``work`` is what the process does; it must return soon after the link says so. ``slot`` is for its link."""
        self.process = WorkerProcess(slot)
        """The slot of the process, whose link to the parent each other child closes."""
        self._work = work

    def tend(self, workers: Sequence[WorkerProcess]) -> None:
        """Start the process where it is due, and note its end. It is forked beside these workers."""
        ended = self.process.reap()
        if ended is not None:
            pause = self.process.schedule_restart()
            telemetry.emit("console_lost", process=ended[0], code=ended[1], seconds=pause)
        if not self.process.process and time.monotonic() >= self.process.start_at:
            self.process.start(self._work, workers)
            telemetry.emit("console_started", process=self.process.process)

    def end(self) -> None:
        """End the process: it is told to, and killed when it does not do so in time."""
        self.process.drain()
        deadline = time.monotonic() + _END_SECONDS
        while self.process.process and self.process.reap() is None:
            if time.monotonic() > deadline:
                self.process.kill()
                with suppress(ChildProcessError):
                    os.waitpid(self.process.process, 0)
                return
            time.sleep(_END_POLL_SECONDS)
