"""The supervisor of several worker processes on one listening socket: it starts, restarts and drains them. POSIX only.

The parent binds and forks. It has no thread, no journal and no handler, so that forking is safe at any time, and it
never accepts. What a worker does is given to it; how one is started and told things is in ``worker_process``.
"""

from __future__ import annotations

import queue
import signal
import socket
import time
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.server.service_manager import ServiceManager
from soap_handler.server.worker_process import CANNOT_START, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.server.companion import Companion
    from soap_handler.server.worker_process import ParentLink

_CLOSING_SECONDS: Final = 5.0  # what a worker gets beyond its drain to close what it has open
_STARTING_POLL_SECONDS: Final = 0.05  # how late it may be noticed that a worker has begun to serve
_POLL_SECONDS: Final = 1.0  # how late an end may be noticed whose signal was lost among others
_BACKLOG: Final = 1024  # connections that may wait to be accepted


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on each address of a host, on the same port everywhere. Port 0 takes a free one.

    Raises:
        OSError: an address cannot be listened on.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((entry[0], entry[4][0]) for entry in found):
            free = sockets[0].getsockname()[1] if sockets else port
            sockets.append(socket.create_server((str(address), free), family=family, backlog=_BACKLOG))
    except OSError:
        _close(sockets)
        raise
    return sockets


class Supervisor:
    """Keeps a number of worker processes running until a signal comes. Run it in the main thread, with no other."""

    def __init__(
        self,
        count: int,
        sockets: Sequence[socket.socket],
        work: Callable[[ParentLink], int],
        *,
        reload: Callable[[], bool],
        ended: Callable[[int], None],
        drain: float,
        signals: queue.SimpleQueue[int] | None = None,
        companion: Companion | None = None,
        manager: ServiceManager | None = None,
    ) -> None:
        """``work`` is what a worker does, in its own process; it returns the exit code.

        ``reload`` is asked, in the parent, whether the workers should read the configuration anew; ``ended`` is told
        there which of them, from 0, has ended. ``drain`` is for how long (seconds) one that is told to stop may go on.
        ``signals`` holds those that came before, and takes those to come. A ``companion`` runs beside the workers from
        when the first of them serves until the last of them has ended. ``manager`` is told when all workers serve, and
        from then on that none stands still.
        """
        self._reload = reload
        self._tell_ended = ended
        self._workers = [WorkerProcess(slot) for slot in range(count)]
        self._companion = companion
        self._children = [*self._workers, companion.process] if companion else self._workers
        self._sockets = list(sockets)
        self._work = work
        self._stop_seconds = drain + _CLOSING_SECONDS
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue() if signals is None else signals
        self._manager = manager or ServiceManager({})
        self._code = 0
        self._kill_at: float | None = None  # set once the workers have been told to stop

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; return 0 if every worker drained, 1 if not, 2 if they cannot start.

        SIGHUP is passed on. A second SIGTERM or SIGINT ends everything at once. The first worker starts alone: what
        keeps it from starting is said once, and it brings the tables up to date before there are others.
        """
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        before = {each: signal.signal(each, lambda number, _frame: self._signals.put(number)) for each in numbers}
        try:
            while self._kill_at is None or any(worker.process for worker in self._workers):
                self._start_due()
                self._obey(self._next_signal())
                self._reap()
                self._tell_manager()
                self._kill_overdue()
        finally:
            if self._companion is not None:
                self._companion.end()
            for each, handler in before.items():
                signal.signal(each, handler)
            _close(self._sockets)
        return self._code

    def _next_signal(self) -> int | None:
        waits = [worker.start_at - time.monotonic() for worker in self._to_start()]
        longest = _POLL_SECONDS if all(worker.has_served for worker in self._workers) else _STARTING_POLL_SECONDS
        try:
            return self._signals.get(timeout=max(0.0, min([longest, *waits])))
        except queue.Empty:
            return None

    def _obey(self, number: int | None) -> None:
        if number == signal.SIGHUP and self._kill_at is None and self._reload():
            for child in self._children:
                child.reload()
        elif number in {signal.SIGTERM, signal.SIGINT}:
            if self._kill_at is None:
                self._stop()
            else:
                self._kill()

    def _to_start(self) -> list[WorkerProcess]:
        """Return those without a process: none during a drain, only the first until that one has served."""
        if self._kill_at is not None:
            return []
        wanted = self._workers if self._workers[0].has_served else self._workers[:1]
        return [worker for worker in wanted if not worker.process]

    def _start_due(self) -> None:
        for worker in self._workers:
            worker.listen()
        for worker in self._to_start():
            if time.monotonic() >= worker.start_at:
                worker.start(self._work, self._children)
                telemetry.emit("worker_started", worker=worker.slot + 1, process=worker.process)
        if self._companion is not None and self._kill_at is None and self._workers[0].has_served:
            self._companion.tend(self._children)

    def _tell_manager(self) -> None:
        """Give a sign of life, unless a worker has not come to serve yet, or its loop turns no more."""
        is_silent = [worker.stands_still(self._stop_seconds) for worker in self._workers]
        if all(worker.has_served for worker in self._workers) and not any(is_silent):
            self._manager.alive()

    def _reap(self) -> None:
        """Take note of each worker that has ended."""
        for worker in self._workers:
            ended = worker.reap()
            if ended is not None:
                self._note_end(worker, *ended)

    def _note_end(self, worker: WorkerProcess, process: int, code: int) -> None:
        self._tell_ended(worker.slot)
        if self._kill_at is not None:
            self._code = self._code or (1 if code else 0)
            telemetry.emit("worker_ended", worker=worker.slot + 1, process=process, code=code)
        elif code == CANNOT_START and not worker.has_served:
            self._code = CANNOT_START
            self._stop()
        else:
            pause = worker.schedule_restart()
            telemetry.emit("worker_lost", worker=worker.slot + 1, process=process, code=code, seconds=pause)

    def _stop(self) -> None:
        """Tell every worker to drain; further connections are refused from now on."""
        self._kill_at = time.monotonic() + self._stop_seconds
        self._manager.stopping()
        _close(self._sockets)
        for worker in self._workers:
            worker.drain()

    def _kill_overdue(self) -> None:
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            telemetry.emit("workers_killed", seconds=self._stop_seconds)
            self._kill_at += self._stop_seconds
            self._kill()

    def _kill(self) -> None:
        for child in self._children:
            child.kill()


def _close(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()
