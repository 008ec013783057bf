"""Signals of the first second: before there is a command, or a service, that could obey them, none breaks the start."""

from __future__ import annotations

import _thread
import queue
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_AGAIN_SECONDS: Final = 0.05
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
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = _raise_again


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
