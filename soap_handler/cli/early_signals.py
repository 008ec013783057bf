"""Signals of the first second: before there is a command, or a service, that could obey them, none breaks the start."""

from __future__ import annotations

import queue
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

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
