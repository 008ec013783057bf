"""The thread pool that runs handlers, with a watchdog: a handler that hangs is given up and its thread replaced."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.dispatch.run import Outcome, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.dispatch.lease import LeaseTimes
    from soap_handler.dispatch.run import Runner
    from soap_handler.journal import Claim

_PREFETCH_SECONDS: Final = 0.1  # of handlers' work that may wait in the queue
_CLAIMS_PER_THREAD: Final = 64  # at most; larger claims would not be quicker
_HANGING_PER_THREAD: Final = 8  # hanging handlers whose threads are replaced; beyond that dispatch stands still
_LEAST_CPU_SECONDS: Final = 100e-6  # that a handler takes which does next to nothing
_QUICK_SECONDS: Final = 0.02  # a call that takes less is quick
_AVERAGE_WEIGHT: Final = 1 / 8  # of the latest run in the moving average of how long a handler takes


class HandlerPool:
    """Threads that take claims from a queue and carry out their runs. Thread-safe.

    The queue is a prefetch buffer. Quick handlers find a few dozen claims for each thread in it, so that one large
    claim replaces many small ones; slow handlers find only what idle threads can begin at once.
    """

    def __init__(self, runner: Runner, threads: int, lease: LeaseTimes, most: int = 1) -> None:
        """``threads`` is how many handlers run at once, each with ``most`` claims in one call."""
        self._runner = runner
        self._size = threads
        self._lease = lease
        self._most = most
        self._wake: Callable[[], None] = lambda: None
        self._queue: SimpleQueue[Claim | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._runs: set[Run] = set()
        self._threads = 0  # that can take work: neither ended nor hanging
        self._waiting = 0  # claims that no thread has taken up yet
        self._suspects = 0  # suspects among those that run or wait
        self._low_water = 0  # with so many waiting or fewer, it is time to claim again
        self._claimed: set[int] = set()  # the rows of _runs, and of what is waiting
        self._hanging = 0
        self._call_seconds = _PREFETCH_SECONDS  # that a call takes, as a moving average
        self._handler_seconds = _PREFETCH_SECONDS  # of those, the share of one claim
        self._cpu_seconds = 0.0  # of those, CPU time

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self, wake: Callable[[], None]) -> None:
        """Begin the threads; ``wake`` is called whenever there is room for more claims."""
        self._wake = wake
        self._replace_threads()

    def close(self) -> None:
        """Have each thread end after its present run."""
        for _ in range(self._size):
            self._queue.put(None)

    @property
    def threads(self) -> int:
        """How many threads can take work: neither ended nor hanging."""
        with self._lock:
            return self._threads

    @property
    def busy(self) -> int:
        """How many handlers are running or wait for a thread."""
        with self._lock:
            return len(self._runs) + self._waiting

    @property
    def hanging(self) -> int:
        """How many handlers were given up and have not returned since."""
        with self._lock:
            return self._hanging

    @property
    def stands_still(self) -> bool:
        """Whether every thread hangs, and so many that none is replaced any more."""
        if not self._hanging:
            return False
        with self._lock:
            return self._threads == 0 and self._replaceable() <= 0

    def _replaceable(self) -> int:
        """Return how many threads may be started. The caller holds the lock."""
        return min(self._size - self._threads, self._size * (1 + _HANGING_PER_THREAD) - self._threads - self._hanging)

    def _replace_threads(self) -> None:
        """Start the threads that are missing."""
        if self._threads >= self._size:
            return
        with self._lock:
            count = max(0, self._replaceable())
            self._threads += count
        for started in range(count):
            try:
                threading.Thread(target=self._run_handlers, name="handler", daemon=True).start()
            except RuntimeError as error:  # the system has no thread left; the next look tries again
                telemetry.emit("handler_thread_not_started", error=str(error))
                with self._lock:
                    self._threads -= count - started
                return

    # -- the queue ---------------------------------------------------------------------------------------------------

    def claims_wanted(self) -> int:
        """Return how many claims to make now; 0 until few enough are waiting (low-water mark).

        Example: with 4 threads and 16 claims per thread, up to 64 are waiting or running. The low-water mark is
        4 * 15 // 2 = 30: while 31 wait, nothing is claimed; with 30 waiting and 4 running, 64 - 4 - 30 = 30 are.
        """
        in_time = int(_PREFETCH_SECONDS / max(self._handler_seconds, 1e-6))
        claims_per_thread = max(self._most, min(_CLAIMS_PER_THREAD, in_time))
        with self._lock:
            self._low_water = self._threads * (claims_per_thread - 1) // 2
            if self._waiting > self._low_water:
                return 0
            return max(0, self._threads * claims_per_thread - len(self._runs) - self._waiting)

    def has_quick_work_beside(self, runs: int) -> bool:
        """Whether more results than those of so many runs are sure to come soon: calls are quick."""
        return self._waiting + len(self._runs) > runs and self._call_seconds < _QUICK_SECONDS

    @property
    def cost(self) -> float:
        """The CPU time of one handler, as a multiple of that of one which does nothing; at least 1."""
        return max(1.0, self._cpu_seconds / _LEAST_CPU_SECONDS)

    def claimed(self) -> frozenset[int]:
        """Return the rows whose handlers are running or wait for a thread."""
        with self._lock:
            return frozenset(self._claimed)

    @property
    def has_suspect(self) -> bool:
        """Whether a suspect runs or waits. There is one at a time: which one ends the process must be known."""
        return self._suspects > 0

    def put(self, claims: Sequence[Claim]) -> None:
        """Queue claims, each for the next idle thread."""
        seqs, suspects = [claim.seq for claim in claims], sum(claim.is_suspect for claim in claims)
        with self._lock:
            self._waiting += len(seqs)
            self._claimed.update(seqs)
            self._suspects += suspects
        for claim in claims:
            self._queue.put(claim)

    def give_back(self) -> None:
        """Release the claims that wait for a thread."""
        waiting = []
        with suppress(Empty):
            while (claim := self._queue.get_nowait()) is not None:
                waiting.append(claim)
        if waiting:
            self._release(waiting)

    def _release(self, waiting: Sequence[Claim]) -> None:
        """Give back claims that no handler was begun for."""
        with self._lock:
            self._waiting -= len(waiting)
            self._claimed.difference_update(claim.seq for claim in waiting)
            self._suspects -= sum(claim.is_suspect for claim in waiting)
        self._runner.release(waiting)

    # -- the threads -------------------------------------------------------------------------------------------------

    def _run_handlers(self) -> None:
        """Run handlers in this thread until it is told to end, or is given up and replaced."""
        while claims := self._next_claims():
            if not self._run(claims):
                return

    def _next_claims(self) -> list[Claim]:
        """Wait for a claim; return it and those that wait behind it, as many as go in one call. Nothing is the end."""
        claim = self._queue.get()
        if self._most == 1 and claim is not None:
            return [claim]
        claims: list[Claim] = []
        with suppress(Empty):
            while claim is not None:
                claims.append(claim)
                if len(claims) >= self._most:
                    return claims
                claim = self._queue.get_nowait()
            if claims:
                self._queue.put(None)  # the end, which is not yet
        return claims

    def _run(self, claims: Sequence[Claim]) -> bool:
        """Run the handler; return whether this thread is needed after that."""
        runs = self._begin(claims)
        cpu, began = time.thread_time(), time.monotonic()
        outcomes = self._runner.carry_out_all(runs)
        self._cpu_seconds += ((time.thread_time() - cpu) / len(runs) - self._cpu_seconds) * _AVERAGE_WEIGHT
        if runs[0].began is not None:
            seconds = time.monotonic() - began
            self._call_seconds += (seconds - self._call_seconds) * _AVERAGE_WEIGHT
            self._handler_seconds += (seconds / len(runs) - self._handler_seconds) * _AVERAGE_WEIGHT
        if Outcome.GIVEN_UP not in outcomes:
            self._finish(runs)
            return True
        late = [run for run, outcome in zip(runs, outcomes, strict=True) if outcome is Outcome.GIVEN_UP]
        self._finish([run for run in runs if run not in late])
        return self._rejoin(late)

    def _begin(self, claims: Sequence[Claim]) -> list[Run]:
        runs = [Run(claim) for claim in claims]
        with self._lock:
            self._waiting -= len(runs)
            self._runs.update(runs)
        return runs

    def _finish(self, runs: Sequence[Run]) -> None:
        """Forget runs, only after their results were handed in: a drain must see either the one or the other."""
        # A thread that loses the GIL while it holds this lock keeps all others waiting (lock convoy), and each call may
        # lose it. So both are made before. A suspect among these runs is counted since it was queued.
        seqs = [run.claim.seq for run in runs]
        suspects = sum(run.claim.is_suspect for run in runs) if self._suspects else 0
        with self._lock:
            self._runs.difference_update(runs)
            self._claimed.difference_update(seqs)
            self._suspects -= suspects
            has_room = bool(runs) and (self._waiting <= self._low_water or suspects > 0)
        if has_room:
            self._wake()

    def _rejoin(self, late: Sequence[Run]) -> bool:
        """Come back from a call that was given up; return whether this thread is needed again."""
        for run in late:
            telemetry.emit("handler_returned_late", key=run.claim.key)
        with self._lock:
            self._hanging -= 1
            needed = self._threads < self._size
            self._threads += needed
        self._wake()
        return needed

    # -- the watchdog ------------------------------------------------------------------------------------------------

    def give_up_hanging(self) -> None:
        """Count handlers that overran their time as failed attempts, and put new threads in the place of theirs."""
        for run in self._take_hanging():
            telemetry.emit("handler_hangs", key=run.claim.key, seconds=self._lease.timeout, hanging=self.hanging)
            try:
                run.give_up()
            except Exception as error:  # noqa: BLE001 - the attempts behind it must be settled too
                telemetry.emit("transaction_not_ended", error=type(error).__name__)
            self._runner.settle_hanging(run)
        self._replace_threads()

    def _take_hanging(self) -> list[Run]:
        """End the runs that overran their time, and return them."""
        error = f"the handler did not return within {self._lease.timeout:g} s"
        with self._lock:
            now = time.monotonic()  # one instant for all runs of a call: they began together
            overdue = [run for run in self._runs if run.is_overdue(self._lease.timeout, now)]
            hung = [run for run in overdue if run.give_up_as_hanging(error)]
            self._runs.difference_update(hung)
            self._claimed.difference_update(run.claim.seq for run in hung)
            self._suspects -= sum(run.claim.is_suspect for run in hung)
            threads = len({run.thread for run in hung})
            self._hanging += threads
            self._threads -= threads
        return hung
