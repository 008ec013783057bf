"""Ctrl-C in a command: it raises KeyboardInterrupt in the main thread, and none is lost. The service has its own."""

from __future__ import annotations

import _thread
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

_AGAIN_SECONDS: Final = 0.05
_raised: Final[list[int]] = []  # what has raised; an event has a lock, on which a handler within a handler would wait


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

    Python checks for signals before a system call that blocks, and after one that a signal interrupted. A signal
    between the check and the call interrupts nothing. Its number is written to the wakeup file descriptor all the same.
    """
    reader, writer = socket.socketpair()
    writer.settimeout(0)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    threading.Thread(target=_repeat, args=(reader,), name="ctrl-c", daemon=True).start()


def _repeat(reader: socket.socket) -> None:
    """Send SIGINT to the main thread again, until a first one has raised. Each repetition is read here too."""
    while number := reader.recv(1):
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
