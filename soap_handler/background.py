"""The base of every part that runs in a thread of its own beside the server: start, stop, stopping."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod


class Background(ABC):
    """A daemon thread with one life: built, started, told to stop, joined.

    :meth:`run` is the thread's work. It must return soon after :attr:`stopping` is set.
    """

    def __init__(self, name: str) -> None:
        """``name`` is that of the thread, as debuggers show it."""
        self.stopping = threading.Event()
        """Set once :meth:`stop` was called; wait on it in place of sleeping."""
        self._thread = threading.Thread(target=self.run, name=name, daemon=True)

    @abstractmethod
    def run(self) -> None:
        """Do the work until :attr:`stopping` is set. Errors must not leave it: nothing starts it again."""

    def start(self) -> None:
        """Begin the thread."""
        self._thread.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Tell the thread to end and wait for it; return whether ``timeout`` seconds were enough.

        Without a timeout it waits for as long as it takes. A part that was never started has ended.
        """
        self.stopping.set()
        self.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def wake(self) -> None:
        """Interrupt what the thread waits for besides :attr:`stopping`; a part that waits for more overrides it."""
