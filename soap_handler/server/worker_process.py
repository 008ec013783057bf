"""One worker process, seen from both sides: the slot that its parent keeps for it, and its link to the parent.

The link is a pair of sockets. The parent writes to it to have the configuration read anew, and closes it to have the
worker drain. A parent that is killed closes it too, so no worker outlives its parent by more than a drain.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from soap_handler import telemetry
from soap_handler.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CANNOT_START: Final = 2
"""The exit code of a worker that cannot start."""
RENEW: Final = 3
"""The exit code of a process whose handler threads all hang: started again, it goes on."""

_RELOAD: Final = b"r"
_SERVING: Final = b"s"
_ALIVE: Final = b"a"
_HEARD_BYTES: Final = 4096  # more signs of life than come between two looks
_SHORT_LIFE_SECONDS: Final = 5.0  # a worker that lived no longer is started again only after a pause
_RESTART_BACKOFF: Final = Backoff(0.5, 30.0)  # before one is started again that never served
_RESTART_BACKOFF_IF_SERVED: Final = Backoff(
    0.5, 2.0
)  # of one that did serve: what it takes in until it dies is worth the trouble


class ParentLink:
    """A worker's end of the link to its parent."""

    def __init__(self, end: socket.socket, slot: int) -> None:
        self._end = end
        self.slot = slot
        """Which of the workers this is, from 0."""

    def follow(self, reload: Callable[[], None], stop: Callable[[], None]) -> None:
        """Say that this worker serves; from now on do what the parent asks for, in a thread of its own."""
        threading.Thread(target=self._run, args=(reload, stop), name="link to parent", daemon=True).start()

    def alive(self) -> None:
        """Tell the parent that this worker's loop turns. Returns at once, also where the parent does not read."""
        with suppress(OSError):
            self._end.send(_ALIVE, socket.MSG_DONTWAIT)

    def _run(self, reload: Callable[[], None], stop: Callable[[], None]) -> None:
        try:
            self._end.send(_SERVING)
            while self._end.recv(1):
                reload()
        except OSError as error:  # that the parent is gone can come as an error too
            telemetry.emit("parent_lost", error=type(error).__name__)
        stop()


class WorkerProcess:
    """A slot for one worker, whose process is started again when it ends."""

    def __init__(self, slot: int) -> None:
        self.slot = slot
        """Which of the workers it is, from 0."""
        self.process = 0
        """The id of the present process; 0 while there is none."""
        self.has_served = False
        """Whether any process of this slot has come so far as to serve."""
        self.start_at = time.monotonic()
        """When the next process is due, while there is none."""
        self._link: socket.socket | None = None
        self._started = 0.0
        self._serving = False  # whether the present process, or the last one, has come so far as to serve
        self._short_lives = 0  # in a row
        self._alive_at = 0.0  # when the present process last said that its loop turns
        self._silence_told = False

    def start(self, work: Callable[[ParentLink], int], others: Sequence[WorkerProcess]) -> None:
        """Fork. In the new process ``work`` is done and its exit code returned; nothing else of the parent's goes on.

        The links of the ``others`` are closed there, or those would never see that the parent is gone.
        """
        ours, theirs = socket.socketpair()
        _flush()
        self.process = os.fork()
        if self.process == 0:
            ours.close()
            _be_worker(work, ParentLink(theirs, self.slot), others)
        theirs.close()
        self._link, self._started, self._serving = ours, time.monotonic(), False

    def listen(self) -> None:
        """Note what the process has reported since: that it serves, that its loop turns."""
        try:
            said = self._link.recv(_HEARD_BYTES, socket.MSG_DONTWAIT) if self._link is not None else b""
        except OSError:  # it said nothing
            return
        if _SERVING in said:
            self._serving = self.has_served = True
        if said:
            self._alive_at, self._silence_told = time.monotonic(), False

    def stands_still(self, seconds: float) -> bool:
        """Whether the process serves but has given no sign of life for so long, which is logged once."""
        silent = time.monotonic() - self._alive_at
        if not (self.process and self._serving and silent > seconds):
            return False
        if not self._silence_told:
            self._silence_told = True
            telemetry.emit("worker_stands_still", worker=self.slot + 1, process=self.process, seconds=round(silent))
        return True

    def reload(self) -> None:
        """Have the process read the configuration anew."""
        if self._link is None:
            return
        try:
            self._link.send(_RELOAD, socket.MSG_DONTWAIT)
        except OSError as error:  # it has just ended, or has thousands of reloads before it
            telemetry.emit("worker_not_reached", error=type(error).__name__)

    def drain(self) -> None:
        """Have the process end when nothing is in flight any more."""
        if self._link is not None:
            self._link.close()

    def kill(self) -> None:
        """End the process at once."""
        if self.process:
            os.kill(self.process, signal.SIGKILL)

    def reap(self) -> tuple[int, int] | None:
        """Return the id and the exit code of the process if it has ended, else ``None``."""
        ended, status = os.waitpid(self.process, os.WNOHANG) if self.process else (0, 0)
        if not ended:
            return None
        self.listen()
        self.drain()
        process, self.process, self._link = self.process, 0, None
        return process, os.waitstatus_to_exitcode(status)

    def schedule_restart(self) -> float:
        """Decide when the process that has ended is started again; return the pause until then in seconds."""
        short = time.monotonic() - self._started < _SHORT_LIFE_SECONDS
        self._short_lives = self._short_lives + 1 if short else 0
        backoff = _RESTART_BACKOFF_IF_SERVED if self._serving else _RESTART_BACKOFF
        pause = backoff.longest(self._short_lives) if self._short_lives else 0.0
        self.start_at = time.monotonic() + pause
        return pause


def _be_worker(work: Callable[[ParentLink], int], link: ParentLink, others: Sequence[WorkerProcess]) -> NoReturn:
    """Do the work of a worker, then exit. Of the parent's, only the listening sockets are left."""
    code = 1
    try:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)  # until the worker can drain; the link says it too, and waits
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in others:
            other.drain()
        code = work(link)
    except BaseException as error:  # noqa: BLE001 - not through the parent's stack
        telemetry.emit("worker_broke", error=type(error).__name__, exc_info=True)
    finally:
        _flush()
        os._exit(code)


def _flush() -> None:
    """Write out what is buffered. A closed stream has no reader, and must not keep a worker from starting or ending."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
