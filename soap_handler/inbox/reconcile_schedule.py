"""When reconciliation runs: at the start, and in each interval. One run is in reconciler.py.

Of several processes and hosts that share a journal, one run is enough in each interval; the journal tells the others
that theirs is needless.
"""

from __future__ import annotations

import random
import threading
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.background import BackgroundLoop
from soap_handler.errors import InboxError, InboxRefusedError, JournalUnavailableError
from soap_handler.inbox.circuit_breaker import CircuitBreaker
from soap_handler.inbox.client import Inbox
from soap_handler.inbox.reconciler import Reconciler
from soap_handler.journal import Beginning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from soap_handler.accounts.accounts import Account
    from soap_handler.inbox.reconciler import Result
    from soap_handler.journal import Journal
    from soap_handler.settings import DeleteSettings, ReconcileSettings

_JITTER: Final = 0.2  # of the interval, more or less: processes that started together must not go on together
_DEAD_RUN_SECONDS: Final = 60.0  # beyond its timeout, for journaling; a run without an end that is older has died
_LIST_STOP_SECONDS: Final = 1.0  # that a stop waits for a list that does not come: nothing is lost without it


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


class _AccountSchedule(BackgroundLoop):
    """The runs of one account, one after the other, in a thread of their own: one slow inbox holds up no other."""

    def __init__(
        self, account: Account, inbox: Inbox, journal: Journal, settings: ReconcileSettings, delete: DeleteSettings
    ) -> None:
        super().__init__(f"reconciliation {account.reference}")
        self._reference = account.reference
        self._inbox = inbox
        self._journal = journal
        self._settings = settings
        self._reconciler = Reconciler(account, inbox, journal, settings)
        self._breaker = CircuitBreaker(account.reference, delete)
        self._random = random.Random()  # noqa: S311 - spreads calls, guards nothing
        self._beginning: Beginning | None = None

    def stop(self, timeout: float | None = None) -> bool:
        """Wait for a run to write down what it has begun; return whether it did, or was only waiting for the inbox."""
        self.stopping.set()
        self.wake()
        timeout = _LIST_STOP_SECONDS if timeout is None else timeout
        if not self.join(min(timeout, _LIST_STOP_SECONDS)) and self._reconciler.writing:
            self.join(max(0.0, timeout - _LIST_STOP_SECONDS))
        if self.is_running:
            self._abandon()
        self._inbox.close()
        return not (self.is_running and self._reconciler.writing)

    def run(self) -> None:
        now = self._journal.now()
        self._beginning = start_conditions(self._reference, now, now)
        super().run()

    def round(self) -> float:
        beginning = self._beginning or interval_conditions(self._reference, self._settings, self._journal.now())
        self._beginning = None
        self._reconcile(beginning)
        return self._pause()

    def failed(self, error: Exception) -> float:
        telemetry.emit("reconciliation_broke", account=self._reference, exc_info=error)
        return self._pause()

    def _pause(self) -> float:
        return max(jittered(self._settings.interval, self._random), self._breaker.open_for())

    def _abandon(self) -> None:
        try:
            self._reconciler.abandon()
        except JournalUnavailableError as error:
            telemetry.emit("reconciliation_left_open", account=self._reference, reason=str(error))

    def _reconcile(self, beginning: Beginning) -> None:
        result = self._reconciler.run(beginning, stopping=self.stopping.is_set)
        if result is None:
            telemetry.emit("reconciliation_needless", account=self._reference)
        elif result.error is not None:
            self._note_failure(result.error)
        elif not result.stopped:
            self._breaker.succeeded()
            self._tell(result)

    def _note_failure(self, error: Exception) -> None:
        if isinstance(error, InboxRefusedError):
            self._breaker.refused(str(error))  # which tells of it, as an error
            return
        if isinstance(error, InboxError):
            self._breaker.failed()
        if not self.stopping.is_set():
            telemetry.emit("reconciliation_failed", account=self._reference, reason=str(error))

    def _tell(self, result: Result) -> None:
        telemetry.emit("reconciled", account=self._reference, known=result.tally.known, **asdict(result.tally))


class ReconcileSchedule:
    """The runs of all accounts that have an inbox; none, where the interval is 0."""

    def __init__(
        self, accounts: Iterable[Account], journal: Journal, settings: ReconcileSettings, delete: DeleteSettings
    ) -> None:
        """Build a schedule for each account. The journal is not closed by this class."""
        self._journal = journal
        self._running: dict[str, tuple[_AccountSchedule, object]] = {}
        self._started = False
        self._stopped = False
        self._lock = threading.Lock()
        self._take_over(accounts, settings, delete)

    def start(self) -> None:
        """Begin with a run of each account."""
        with self._lock:
            self._started = True
            for schedule, _ in self._running.values():
                schedule.start()

    def change(self, accounts: Iterable[Account], settings: ReconcileSettings, delete: DeleteSettings) -> None:
        """Take over these accounts and settings. What stays as it is goes on; what is new begins with a run."""
        with self._lock:
            if not self._stopped:
                self._take_over(accounts, settings, delete)

    def stop(self, left: Callable[[], float]) -> bool:
        """End; return whether the time ``left`` (seconds) was enough to write down all that was begun."""
        with self._lock:
            self._stopped = True
            for schedule, _ in self._running.values():
                schedule.stopping.set()  # of all, before the wait for the first
            ended = [schedule.stop(left()) for schedule, _ in self._running.values()]
            return all(ended)

    def _take_over(self, accounts: Iterable[Account], settings: ReconcileSettings, delete: DeleteSettings) -> None:
        wanted = {
            account.reference: (account, (account.inbox, account.time_zone, settings, delete))
            for account in accounts
            if settings.interval > 0
        }
        for reference, (schedule, known) in list(self._running.items()):
            if reference not in wanted or wanted[reference][1] != known:
                schedule.stop(_LIST_STOP_SECONDS)
                del self._running[reference]
        for reference, (account, configuration) in wanted.items():
            if account.inbox is not None and reference not in self._running:
                schedule = _AccountSchedule(account, Inbox(reference, account.inbox), self._journal, settings, delete)
                self._running[reference] = schedule, configuration
                if self._started:
                    schedule.start()
