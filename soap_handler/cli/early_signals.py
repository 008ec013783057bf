"""Signals of the first second: before there is a command, or a service, that could obey them, none breaks the start."""

from __future__ import annotations

import _thread
import queue
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_AGAIN_SECONDS: Final = 0.05
_raised: Final[list[int]] = []  # what has raised; an event has a lock, on which a handler within a handler would wait
noted: Final[queue.SimpleQueue[int]] = queue.SimpleQueue()
"""The requests to reload (SIGHUP) that came before the service could obey. It obeys them as soon as it can."""


@contextmanager
def held() -> Iterator[None]:
    """Note each SIGHUP, which would end the process, and let SIGINT end it at once as SIGTERM does.

    Nothing is lost by that end: a transaction that is under way is rolled back.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGHUP"):
        yield
        return
    before = {
        signal.SIGHUP: signal.signal(signal.SIGHUP, lambda number, _frame: noted.put(number)),
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_DFL),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def raise_interrupts() -> None:
    """Have Ctrl-C raise KeyboardInterrupt from now on. Until the commands were loaded it ended the process at once."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, _raise)
        sys.unraisablehook = _raise_again
        _repeat_what_was_missed()


def _raise(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, as Python's own handler of SIGINT does, and note it."""
    _raised.append(number)
    signal.default_int_handler(number, frame)


def _repeat_what_was_missed() -> None:
    """Repeat a Ctrl-C that came just as a wait began: Python raises nothing before that wait is over.

    Python looks for signals before a system call that blocks, and after one that a signal broke off. What comes between
    the look and the call breaks nothing off. Its number is written to the wakeup file descriptor all the same.
    """
    ear, mouth = socket.socketpair()
    mouth.settimeout(0)
    signal.set_wakeup_fd(mouth.detach(), warn_on_full_buffer=False)
    threading.Thread(target=_repeat, args=(ear,), name="ctrl-c", daemon=True).start()


def _repeat(ear: socket.socket) -> None:
    """Send SIGINT to the main thread again, until a first one has raised. Each is heard here again."""
    while number := ear.recv(1):
        time.sleep(_AGAIN_SECONDS)
        if signal.SIGINT in number and not _raised and signal.getsignal(signal.SIGINT) is _raise:
            _interrupt()


def _raise_again(swallowed: sys.UnraisableHookArgs) -> None:
    """Repeat a Ctrl-C that fell into a callback of the interpreter, as imports have them: Python drops it there."""
    if swallowed.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(swallowed)
        return
    again = threading.Timer(_AGAIN_SECONDS, _interrupt)  # raised here, it would be dropped too
    again.daemon = True
    again.start()


def _interrupt() -> None:
    """Send SIGINT to the main thread, which ends what it waits for; what Python merely simulates would not."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:  # Windows
        _thread.interrupt_main()
