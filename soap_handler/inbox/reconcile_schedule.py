"""When the inboxes are held against the journal: at the start and every interval. What a run does is in ``reconcile``.

One thread for each account, so that one slow inbox holds up no other. Of several processes and hosts that share a
journal, one is enough in each interval; the journal tells the others that they need not.
"""

from __future__ import annotations

import random
import threading
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.errors import InboxError, InboxRefusedError, JournalUnavailableError
from soap_handler.inbox import Gate, Inbox
from soap_handler.inbox.reconciler import Reconciler
from soap_handler.journal import Beginning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from soap_handler.accounts.accounts import Account
    from soap_handler.inbox.reconciler import Result
    from soap_handler.journal import Journal
    from soap_handler.settings import DeleteSettings, ReconcileSettings

_JITTER: Final = 0.2  # of the interval, more or less: processes that started together must not go on together
_MARGIN: Final = 60.0  # seconds for journaling the end of a list, after which a run without an end has died
_HANGING: Final = 1.0  # seconds to wait at a stop for a list that does not come: nothing is lost without it


def _now() -> datetime:
    return datetime.now(UTC)


def at_start(account: str, started_at: datetime) -> Beginning:
    """Return the conditions of a run at the start: needless only if another process has begun one since."""
    return Beginning(account, _now(), unless_ended_since=started_at, unless_begun_since=started_at)


def in_turn(account: str, settings: ReconcileSettings) -> Beginning:
    """Return the conditions of a run in its turn: needless if another is under way, or ended half an interval ago."""
    now = _now()
    recently = now - timedelta(seconds=settings.interval / 2)
    return Beginning(account, now, recently, now - timedelta(seconds=settings.timeout + _MARGIN))


def pause(interval: float, rng: random.Random) -> float:
    """Return the seconds until the next run."""
    return interval * rng.uniform(1 - _JITTER, 1 + _JITTER)


class _Rounds:
    """The runs of one account, one after the other, in a thread of their own."""

    def __init__(
        self, account: Account, inbox: Inbox, journal: Journal, settings: ReconcileSettings, delete: DeleteSettings
    ) -> None:
        self._reference = account.reference
        self._inbox = inbox
        self._settings = settings
        self._reconciler = Reconciler(account, inbox, journal, settings)
        self._gate = Gate(account.reference, delete)
        self._random = random.Random()  # noqa: S311 - spreads calls, guards nothing
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"reconciliation {account.reference}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def tell_to_stop(self) -> None:
        self._stopping.set()

    def stop(self, timeout: float) -> bool:
        """Wait for a run to write down what it has begun; return whether it did, or was only waiting for the inbox."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(min(timeout, _HANGING))
            if self._thread.is_alive() and self._reconciler.writing:
                self._thread.join(max(0.0, timeout - _HANGING))
            if self._thread.is_alive():
                self._abandon()
        self._inbox.close()
        return not (self._thread.is_alive() and self._reconciler.writing)

    def _abandon(self) -> None:
        try:
            self._reconciler.abandon()
        except JournalUnavailableError as error:
            telemetry.emit("reconciliation_left_open", account=self._reference, reason=str(error))

    def _run(self) -> None:
        beginning = at_start(self._reference, _now())
        while not self._stopping.is_set():
            try:
                self._go_round(beginning)
            except Exception:  # noqa: BLE001 - whatever it is, the next round is made
                telemetry.emit("reconciliation_broke", account=self._reference, exc_info=True)
            self._stopping.wait(max(pause(self._settings.interval, self._random), self._gate.wait()))
            beginning = in_turn(self._reference, self._settings)

    def _go_round(self, beginning: Beginning) -> None:
        result = self._reconciler.run(beginning, stopping=self._stopping.is_set)
        if result is None:
            telemetry.emit("reconciliation_needless", account=self._reference)
        elif result.error is not None:
            self._failed(result.error)
        elif not result.stopped:
            self._gate.succeeded()
            self._tell(result)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, InboxRefusedError):
            self._gate.refused(str(error))  # which says so, loudly
            return
        if isinstance(error, InboxError):
            self._gate.failed()
        if not self._stopping.is_set():
            telemetry.emit("reconciliation_failed", account=self._reference, reason=str(error))

    def _tell(self, result: Result) -> None:
        telemetry.emit("reconciled", account=self._reference, known=result.tally.known, **asdict(result.tally))


class Reconciliations:
    """The runs of all accounts that have an inbox; none, where the interval is 0."""

    def __init__(
        self, accounts: Iterable[Account], journal: Journal, settings: ReconcileSettings, delete: DeleteSettings
    ) -> None:
        """Somebody else closes the journal."""
        self._journal = journal
        self._running: dict[str, tuple[_Rounds, object]] = {}
        self._started = False
        self._stopped = False
        self._lock = threading.Lock()
        self._take_up(accounts, settings, delete)

    def start(self) -> None:
        """Begin with a run of each account."""
        with self._lock:
            self._started = True
            for rounds, _ in self._running.values():
                rounds.start()

    def change(self, accounts: Iterable[Account], settings: ReconcileSettings, delete: DeleteSettings) -> None:
        """Take over these accounts and settings. What stays as it is goes on; what is new begins with a run."""
        with self._lock:
            if not self._stopped:
                self._take_up(accounts, settings, delete)

    def stop(self, left: Callable[[], float]) -> bool:
        """End; return whether the time ``left`` (seconds) was enough to write down all that was begun."""
        with self._lock:
            self._stopped = True
            for rounds, _ in self._running.values():
                rounds.tell_to_stop()
            ended = [rounds.stop(left()) for rounds, _ in self._running.values()]
            return all(ended)

    def _take_up(self, accounts: Iterable[Account], settings: ReconcileSettings, delete: DeleteSettings) -> None:
        wanted = {
            account.reference: (account, (account.inbox, account.time_zone, settings, delete))
            for account in accounts
            if settings.interval > 0
        }
        for reference, (rounds, known) in list(self._running.items()):
            if reference not in wanted or wanted[reference][1] != known:
                rounds.stop(_HANGING)
                del self._running[reference]
        for reference, (account, how) in wanted.items():
            if account.inbox is not None and reference not in self._running:
                inbox = Inbox(reference, account.inbox)
                rounds = _Rounds(account, inbox, self._journal, settings, delete)
                self._running[reference] = rounds, how
                if self._started:
                    rounds.start()
