"""When reconciliation runs: at the start, and in each interval. One run is in reconciler.py.

Of several processes and hosts that share a journal, one run is enough in each interval; the journal tells the others
that theirs is needless.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.background import BackgroundLoop
from soap_handler.errors import InboxError, InboxRefusedError, JournalUnavailableError
from soap_handler.inbox.client import Inbox
from soap_handler.inbox.login_gate import LoginGate
from soap_handler.inbox.reconciler import Reconciler
from soap_handler.inbox.workers import Workers
from soap_handler.journal import Beginning
from soap_handler.log_throttle import LogThrottle
from soap_handler.metrics.catalogue import RECONCILIATIONS
from soap_handler.retry import FAILED_ROUND

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from soap_handler.accounts.authentication import Account
    from soap_handler.inbox.connections import Connections
    from soap_handler.journal import Journal, Tally
    from soap_handler.settings import DeleteSettings, ReconcileSettings

_JITTER: Final = 0.2  # of the interval, more or less: processes that started together must not go on together
_DEAD_RUN_SECONDS: Final = 60.0  # beyond its timeout, for journaling; a run without an end that is older has died
_LIST_STOP_SECONDS: Final = 1.0  # that a stop waits for a list that does not come: nothing is lost without it
_RUNS_AT_ONCE: Final = 16  # so many inboxes may be slow before another one waits for them
_PACE_SECONDS: Final = 0.05  # between the beginnings of two runs: a thousand at the start must not hold up pushes
_NOTHING_SECONDS: Final = 60.0  # between two looks where there is nothing; what is added wakes us
_TRIED_SECONDS: Final = 1.0  # between two looks whether another process has found out that EMS accepts a login
_random: Final = random.Random()  # noqa: S311 - spreads calls, guards nothing; one for all, as each has 2.5 kB


def start_conditions(account: str, started_at: datetime, now: datetime) -> Beginning:
    """Return the conditions of a run at the start: skipped only if another process has begun one since."""
    return Beginning(account, now, skip_if_ended_since=started_at, skip_if_running_since=started_at)


def interval_conditions(account: str, settings: ReconcileSettings, now: datetime) -> Beginning:
    """Return the conditions of a run in an interval: skipped if one ended half an interval ago, or is under way."""
    half_an_interval_ago = now - timedelta(seconds=settings.interval / 2)
    oldest_living_run = now - timedelta(seconds=settings.timeout + _DEAD_RUN_SECONDS)
    return Beginning(account, now, skip_if_ended_since=half_an_interval_ago, skip_if_running_since=oldest_living_run)


def jittered(interval: float, rng: random.Random) -> float:
    """Return the seconds until the next run."""
    return interval * rng.uniform(1 - _JITTER, 1 + _JITTER)


class _AccountRuns:
    """The runs of one account, one after the other, each in a worker thread: one slow inbox holds up no other."""

    def __init__(
        self,
        account: Account,
        journal: Journal,
        settings: ReconcileSettings,
        delete: DeleteSettings,
        *,
        log_throttle: LogThrottle,
        connections: Connections,
    ) -> None:
        assert account.inbox is not None  # noqa: S101 - tells mypy what the schedule made sure of
        self.reference = account.reference
        self.configuration = (account.inbox, account.time_zone, settings, delete)
        """What replaces these runs by others when it changes."""
        self.stopping = threading.Event()
        self.next_at = 0.0
        """When the next run is due, by the monotonic clock."""
        self._journal = journal
        self._settings = settings
        inbox = Inbox(account.reference, account.inbox, connections)
        self._reconciler = Reconciler(account, inbox, journal, settings)
        self._gate = LoginGate(account.reference, account.inbox, journal, delete, timedelta(seconds=settings.timeout))
        self._log_throttle = log_throttle
        self._beginning: Beginning | None = None
        self._went_well = False  # the latest run
        self._idle = threading.Event()
        self._idle.set()

    def start(self) -> None:
        """Note when these runs began: the first one is made whatever others were before it."""
        now = self._journal.now()
        self._beginning = start_conditions(self.reference, now, now)

    def begin(self) -> None:
        """Note that a turn is about to be taken; :meth:`take_turn` must follow."""
        self._idle.clear()

    def take_turn(self) -> None:
        """Make a run, where none makes it needless; say when the next one is due. It raises nothing."""
        pause = jittered(self._settings.interval, _random)
        try:
            if not self.stopping.is_set():
                pause = self._turn(pause)
        except JournalUnavailableError as error:
            self._tell_failure(error)
        except Exception as error:  # noqa: BLE001 - a defect in one run must not end all later ones
            telemetry.emit("reconciliation_broke", account=self.reference, exc_info=error)
        self.next_at = time.monotonic() + pause
        self._idle.set()

    def stop(self, deadline: float, list_deadline: float) -> bool:
        """Wait for a run to write down what it has begun; return whether it did, or was only waiting for the inbox."""
        self.stopping.set()
        if not self._idle.wait(max(0.0, min(deadline, list_deadline) - time.monotonic())) and self._reconciler.writing:
            self._idle.wait(max(0.0, deadline - time.monotonic()))
        ended = self._idle.is_set()
        if not ended:
            self._abandon()
        return ended or not self._reconciler.writing

    def _turn(self, pause: float) -> float:
        """Make a run where the gate is open; return how long to wait for the next one."""
        closed = self._gate.enter()
        if closed > 0:
            return min(pause, closed if self._gate.login_refused else min(closed, _TRIED_SECONDS))
        try:
            beginning = self._beginning or interval_conditions(self.reference, self._settings, self._journal.now())
            self._beginning = None
            self._reconcile(beginning)
        finally:
            self._gate.leave()
        self._gate.tell()
        return pause

    def _abandon(self) -> None:
        try:
            self._reconciler.abandon()
        except JournalUnavailableError as error:
            telemetry.emit("reconciliation_left_open", account=self.reference, reason=str(error))

    def _reconcile(self, beginning: Beginning) -> None:
        result = self._reconciler.run(beginning, show=lambda _: self._accepted(), stopping=self.stopping.is_set)
        if result is None:
            telemetry.emit("reconciliation_needless", account=self.reference)
        elif result.error is not None:
            self._note_failure(result.error)
        elif not result.stopped:
            self._gate.accepted()
            self._tell_success(result.tally)

    def _tell_success(self, tally: Tally) -> None:
        """Log the counts. A thousand accounts without news would write a line a second."""
        counts = {"account": self.reference, "known": tally.known, **asdict(tally)}
        if not self._went_well or tally.recovered or tally.deleted_again or tally.unreadable:
            telemetry.emit("reconciled", **counts)
        else:
            telemetry.emit("reconciled_again", **counts)
        self._went_well = True

    def _accepted(self) -> None:
        """Let the others in as soon as messages come: a long list must not keep them waiting to its end."""
        self._gate.accepted()
        self._gate.tell()

    def _note_failure(self, error: Exception) -> None:
        self._went_well = False
        RECONCILIATIONS.add(1, self.reference, "failed")
        if isinstance(error, InboxRefusedError):
            self._gate.refused(str(error))  # which tells of it, as an error
            return
        if isinstance(error, InboxError):
            self._gate.failed()
        if not self.stopping.is_set():
            self._tell_failure(error)

    def _tell_failure(self, error: Exception) -> None:
        if not isinstance(error, JournalUnavailableError) or self._log_throttle.due("journal"):
            telemetry.emit("reconciliation_failed", account=self.reference, reason=str(error))


class _Loop(BackgroundLoop):
    """Has runs made when they are due: one thread that waits for the next of all accounts."""

    def __init__(self) -> None:
        super().__init__("reconciliation")
        self._due: list[tuple[float, int, _AccountRuns]] = []  # a heap, soonest first
        self._numbers = itertools.count()  # two that are due at once are not compared
        self._lock = threading.Lock()
        self._workers = Workers("reconciliation run", _RUNS_AT_ONCE)

    def add(self, runs: _AccountRuns) -> None:
        """Have the next run made when it is due."""
        with self._lock:
            heapq.heappush(self._due, (runs.next_at, next(self._numbers), runs))
        self.wake()

    def forget(self, ended: Collection[_AccountRuns]) -> None:
        """Let go of runs that were stopped."""
        with self._lock:
            self._due = [each for each in self._due if each[2] not in ended]
            heapq.heapify(self._due)

    def round(self) -> float:
        with self._lock:
            if not self._due:
                return _NOTHING_SECONDS
            seconds = self._due[0][0] - time.monotonic()
            if seconds > 0:
                return seconds
            runs = heapq.heappop(self._due)[2]
        if not runs.stopping.is_set():
            runs.begin()
            self._workers.submit(lambda: self._take_turn(runs))
            self.stopping.wait(_PACE_SECONDS)
        return 0.0

    def failed(self, error: Exception) -> float:
        telemetry.emit("reconciliation_broke", account=None, exc_info=error)
        return FAILED_ROUND.longest(self.failures)

    def run(self) -> None:
        super().run()
        for turn in self._workers.stop():
            turn()  # which finds that its runs are stopped

    def _take_turn(self, runs: _AccountRuns) -> None:
        runs.take_turn()
        if not runs.stopping.is_set():
            self.add(runs)


class ReconcileSchedule:
    """The runs of all accounts that have an inbox; none, where the interval is 0."""

    def __init__(
        self,
        accounts: Iterable[Account],
        journal: Journal,
        settings: ReconcileSettings,
        delete: DeleteSettings,
        connections: Connections,
    ) -> None:
        """Build a schedule for each account. Neither the journal nor the connections are closed by this class."""
        self._journal = journal
        self._connections = connections
        self._running: dict[str, _AccountRuns] = {}
        self._loop = _Loop()
        self._log_throttle = LogThrottle()
        self._started = False
        self._stopped = False
        self._lock = threading.Lock()
        self._take_over(self.prepare(accounts, settings, delete))

    def __iter__(self) -> Iterator[_AccountRuns]:
        return iter(list(self._running.values()))

    def start(self) -> None:
        """Begin with a run of each account."""
        with self._lock:
            self._started = True
            for runs in self._running.values():
                self._begin(runs)

    def prepare(
        self, accounts: Iterable[Account], settings: ReconcileSettings, delete: DeleteSettings
    ) -> dict[str, _AccountRuns]:
        """Return the runs of these accounts and settings, and change nothing yet. What stays as it is is the same."""
        return {
            account.reference: self._kept(account, settings, delete)
            or _AccountRuns(
                account, self._journal, settings, delete, log_throttle=self._log_throttle, connections=self._connections
            )
            for account in accounts
            if settings.interval > 0 and account.inbox is not None
        }

    def change(self, prepared: dict[str, _AccountRuns]) -> None:
        """Take over what was prepared. What stays as it is goes on; what is new begins with a run."""
        with self._lock:
            if not self._stopped:
                self._take_over(prepared)

    def stop(self, left: Callable[[], float]) -> bool:
        """End; return whether the time ``left`` (seconds) was enough to write down all that was begun."""
        with self._lock:
            self._stopped = True
            ended = _end(list(self), left())
            return self._loop.stop(left()) and ended

    def _begin(self, runs: _AccountRuns) -> None:
        if not (self._loop.is_running or self._loop.stopping.is_set()):
            self._loop.start()
        runs.start()
        self._loop.add(runs)

    def _kept(self, account: Account, settings: ReconcileSettings, delete: DeleteSettings) -> _AccountRuns | None:
        runs = self._running.get(account.reference)
        return runs if runs and runs.configuration == (account.inbox, account.time_zone, settings, delete) else None

    def _take_over(self, wanted: dict[str, _AccountRuns]) -> None:
        ended = [runs for reference, runs in self._running.items() if wanted.get(reference) is not runs]
        added = [runs for reference, runs in wanted.items() if self._running.get(reference) is not runs]
        _end(ended, _LIST_STOP_SECONDS)
        self._loop.forget(ended)
        self._running = dict(wanted)
        if self._started:
            for runs in added:
                self._begin(runs)


def _end(ended: Sequence[_AccountRuns], seconds: float) -> bool:
    """Stop some runs; return whether so many seconds were enough to write down all that was begun."""
    for runs in ended:
        runs.stopping.set()  # of all, before the wait for the first
    now = time.monotonic()
    return all([runs.stop(now + seconds, now + _LIST_STOP_SECONDS) for runs in ended])  # noqa: C419 - all are stopped
