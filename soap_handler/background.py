"""The base of every part that runs in a thread of its own beside the server: start, stop, wake, and a loop."""

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

    @property
    def is_running(self) -> bool:
        """Whether the thread was started and has not ended."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin the thread."""
        self._thread.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Tell the thread to end and wait for it; return whether ``timeout`` seconds were enough.

        Without a timeout it waits for as long as it takes. A part that was never started has ended.
        """
        self.stopping.set()
        self.wake()
        return self.join(timeout)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread to end, ``timeout`` seconds at most; return whether it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def wake(self) -> None:  # noqa: B027 - most parts wait for nothing but stopping, and need none
        """Interrupt what the thread waits for besides :attr:`stopping`; a part that waits for more overrides it."""


class BackgroundLoop(Background):
    """A background thread that makes one round after another, with a rest in between that :meth:`wake` cuts short.

    A round that fails ends nothing: :meth:`failed` tells of it, and says how long to back off before the next one.
    """

    def __init__(self, name: str, *, delay: float = 0.0) -> None:
        """``delay`` is how many seconds pass before the first round."""
        super().__init__(name)
        self.woken = threading.Event()
        """Set by :meth:`wake`, cleared before each round, so that what happens during a round is never missed."""
        self.failures = 0
        """How many rounds have failed in a row; a long round may reset it when it sees that all is well again."""
        self._delay = delay

    @abstractmethod
    def round(self) -> float:
        """Do what there is to do; return for how many seconds there is nothing more, unless something wakes it."""

    @abstractmethod
    def failed(self, error: Exception) -> float:
        """Log a round that failed; return how many seconds to wait before the next one. :meth:`wake` cuts none off."""

    def run(self) -> None:
        """Make rounds until told to stop."""
        self.stopping.wait(self._delay)
        while not self.stopping.is_set():
            self.woken.clear()
            try:
                seconds = self.round()
                self.failures = 0
            except Exception as error:  # noqa: BLE001 - a defect in one round must not end all later ones
                self.failures += 1
                self.stopping.wait(self.failed(error))
            else:
                self.rest(seconds)

    def rest(self, seconds: float) -> None:
        """Wait for so long, or until woken or told to stop."""
        if seconds > 0:
            self.woken.wait(seconds)

    def wake(self) -> None:
        """Have the next round begin now. Returns at once; any thread may call it."""
        if not self.woken.is_set():  # it is cleared before a round: what was noted before is seen by that round
            self.woken.set()
