"""Several worker processes on one listening socket: started, watched, started again, drained as one. POSIX only.

The parent binds and forks; it has no thread, no journal and no handler, so that forking is safe at any time, and it
never accepts. What a worker does is given to it. Each worker has a line to the parent, a pair of sockets: the parent
writes to it to have the configuration read anew, and closes it to have the worker drain. A parent that is killed closes
it too, so no worker outlives its parent by more than a drain.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from soap_handler import telemetry
from soap_handler.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CANNOT_START: Final = 2
"""The exit code of a worker that cannot start."""

_RELOAD: Final = b"r"
_SERVING: Final = b"s"
_SHORT: Final = 5.0  # seconds: a worker that lived no longer is started again only after a pause
_RESTART: Final = Backoff(first=0.5, cap=30.0)  # of a worker that never served
_RESTART_SERVED: Final = Backoff(first=0.5, cap=2.0)  # of one that did: what it takes in until it dies is worth it
_GRACE: Final = 5.0  # seconds that a worker gets beyond its drain to close what it has open
_SHORT_TICK: Final = 0.05  # seconds: likewise, while a worker is starting
_TICK: Final = 1.0  # seconds: how late an end may be noticed whose signal was lost among others


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
            sockets.append(socket.create_server((str(address), free), family=family, backlog=1024))
    except OSError:
        _close(sockets)
        raise
    return sockets


class Line:
    """A worker's end of the line to its parent."""

    def __init__(self, end: socket.socket, place: int) -> None:
        self._end = end
        self.place = place
        """Which of the workers this is, from 0."""

    def attend(self, reload: Callable[[], None], stop: Callable[[], None]) -> None:
        """Say that this worker serves; from now on do what the parent asks for, in a thread of its own."""
        threading.Thread(target=self._run, args=(reload, stop), name="line to parent", daemon=True).start()

    def _run(self, reload: Callable[[], None], stop: Callable[[], None]) -> None:
        try:
            self._end.send(_SERVING)
            while self._end.recv(1):
                reload()
        except OSError as error:  # that the parent is gone can come as an error too
            telemetry.emit("parent_lost", error=type(error).__name__)
        stop()


@dataclass(eq=False)
class _Place:
    """A place for one worker, and who has it."""

    number: int
    process: int = 0
    """Its id; 0 while the place is empty."""
    line: socket.socket | None = None
    started: float = 0.0
    serving: bool = False
    """Whether the present worker, or the last one, has come so far as to serve."""
    served: bool = False
    """Whether any worker at this place has."""
    failures: int = 0
    """How many ended soon after their start, in a row."""
    due: float = field(default_factory=time.monotonic)
    """When an empty place is to be filled."""

    def heed(self) -> None:
        """Take note of it if the worker has said that it serves."""
        if _said(self.line):
            self.serving = self.served = True

    def pause(self) -> float:
        """Return for how long (seconds) the place is to stay empty."""
        if not self.failures:
            return 0.0
        return (_RESTART_SERVED if self.serving else _RESTART).longest(self.failures)


class Workers:
    """Keeps a number of worker processes running until a signal comes. Run it in the main thread, with no other."""

    def __init__(
        self,
        count: int,
        sockets: Sequence[socket.socket],
        work: Callable[[Line], int],
        *,
        reload: Callable[[], bool],
        ended: Callable[[int], None],
        drain: float,
    ) -> None:
        """``work`` is what a worker does, in its own process; it returns the exit code.

        ``reload`` is asked, in the parent, whether the workers should read the configuration anew; ``ended`` is told
        there which of them, from 0, has ended. ``drain`` is for how long (seconds) one that is told to stop may go on.
        """
        self._reload = reload
        self._tell_ended = ended
        self._places = [_Place(number) for number in range(1, count + 1)]
        self._sockets = list(sockets)
        self._work = work
        self._patience = drain + _GRACE
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._code = 0
        self._kill_at: float | None = None  # set once the workers have been told to stop

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; return 0 if every worker drained, 1 if not, 2 if they cannot start.

        SIGHUP is passed on. A second SIGTERM or SIGINT ends everything at once. The first worker starts alone: what
        keeps it from starting is said once, and it brings the tables up to date while nobody else is there.
        """
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        before = {each: signal.signal(each, lambda number, _frame: self._signals.put(number)) for each in numbers}
        try:
            while self._kill_at is None or any(place.process for place in self._places):
                self._fill()
                self._heed(self._next_signal())
                self._reap()
                self._hurry()
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
            _close(self._sockets)
        return self._code

    def _next_signal(self) -> int | None:
        waits = [place.due - time.monotonic() for place in self._empty()]
        tick = _TICK if all(place.served for place in self._places) else _SHORT_TICK
        try:
            return self._signals.get(timeout=max(0.0, min([tick, *waits])))
        except queue.Empty:
            return None

    def _heed(self, number: int | None) -> None:
        if number == signal.SIGHUP and self._kill_at is None and self._reload():
            for place in self._places:
                _send(place.line)
        elif number in {signal.SIGTERM, signal.SIGINT}:
            if self._kill_at is None:
                self._stop()
            else:
                self._kill()

    # -- starting ----------------------------------------------------------------------------------------------------

    def _empty(self) -> list[_Place]:
        """Return the places that are to be filled: none during a drain, only the first until that one has served."""
        if self._kill_at is not None:
            return []
        open_places = self._places if self._places[0].served else self._places[:1]
        return [place for place in open_places if not place.process]

    def _fill(self) -> None:
        """Start a worker at each place that is empty and due."""
        for place in self._places:
            place.heed()
        for place in self._empty():
            if time.monotonic() >= place.due:
                self._start(place)

    def _start(self, place: _Place) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        place.process = os.fork()
        if place.process == 0:
            ours.close()
            self._be_worker(Line(theirs, place.number - 1))
        theirs.close()
        place.line, place.started, place.serving = ours, time.monotonic(), False
        telemetry.emit("worker_started", worker=place.number, process=place.process)

    def _be_worker(self, line: Line) -> NoReturn:
        """Live as a worker: nothing of the parent's is left but the listening sockets."""
        code = 1
        try:
            for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(each, signal.SIG_IGN)  # until the worker can drain; the line says it too, and waits
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _close([place.line for place in self._places if place.line is not None])  # or they would never see an end
            code = self._work(line)
        except BaseException as error:  # noqa: BLE001 - not through the parent's stack
            telemetry.emit("worker_broke", error=type(error).__name__, exc_info=True)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    # -- ending ------------------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        """Take note of each worker that has ended."""
        for place in self._places:
            if place.process:
                ended, status = os.waitpid(place.process, os.WNOHANG)
                if ended:
                    self._ended(place, os.waitstatus_to_exitcode(status))

    def _ended(self, place: _Place, code: int) -> None:
        lived = time.monotonic() - place.started
        place.heed()
        _close([place.line] if place.line else [])
        process, place.process, place.line = place.process, 0, None
        self._tell_ended(place.number - 1)
        if self._kill_at is not None:
            self._code = self._code or (1 if code else 0)
            telemetry.emit("worker_ended", worker=place.number, process=process, code=code)
            return
        if code == CANNOT_START and not place.served:
            self._code = CANNOT_START
            self._stop()
            return
        place.failures = place.failures + 1 if lived < _SHORT else 0
        pause = place.pause()
        place.due = time.monotonic() + pause
        telemetry.emit("worker_lost", worker=place.number, process=process, code=code, seconds=pause)

    def _stop(self) -> None:
        """Tell every worker to drain; who connects from now on is refused."""
        self._kill_at = time.monotonic() + self._patience
        _close(self._sockets)
        for place in self._places:
            _close([place.line] if place.line else [])

    def _hurry(self) -> None:
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            telemetry.emit("workers_killed", seconds=self._patience)
            self._kill_at += self._patience
            self._kill()

    def _kill(self) -> None:
        for place in self._places:
            if place.process:
                os.kill(place.process, signal.SIGKILL)


def _send(line: socket.socket | None) -> None:
    if line is None:
        return
    try:
        line.send(_RELOAD, socket.MSG_DONTWAIT)
    except OSError as error:  # it has just ended, or has not yet heeded thousands
        telemetry.emit("worker_not_reached", error=type(error).__name__)


def _said(line: socket.socket | None) -> bool:
    """Whether a worker that ended has said that it served."""
    try:
        return line is not None and line.recv(1, socket.MSG_DONTWAIT) == _SERVING
    except OSError:  # it said nothing
        return False


def _close(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()
