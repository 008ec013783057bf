"""The deleters of all accounts: started, replaced when a login changes, stopped. deleter.py is one of them.

A deleter that is stopped settles the call it has in flight, so replacing one loses and repeats nothing. When they make
their turns, delete_schedule.py says.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from soap_handler import telemetry
from soap_handler.dispatch.admission import Admission
from soap_handler.inbox.connections import Connections
from soap_handler.inbox.delete_schedule import POLL_SECONDS, DeleteSchedule
from soap_handler.inbox.deleter import Deleter
from soap_handler.log_throttle import LogThrottle
from soap_handler.metrics.catalogue import CIRCUIT_OPEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from soap_handler.accounts.authentication import Account
    from soap_handler.journal import Journal
    from soap_handler.settings import DeleteSettings


@dataclass(frozen=True, slots=True)
class Change:
    """What a change of the accounts needs, built before anything of the present is ended."""

    settings: DeleteSettings
    names: frozenset[str]
    kept: dict[str, Deleter]
    added: dict[str, Deleter]


class Deleters:
    """One deleter for each account that has an inbox."""

    def __init__(
        self,
        accounts: Iterable[Account],
        journal: Journal,
        settings: DeleteSettings,
        admission: Admission | None = None,
        *,
        connections: Connections | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Build a deleter for each account. The journal is not closed by this class; ``connections`` are.

        ``poll_seconds`` is the time between two looks at the journal that no commit asked for.
        """
        self._journal = journal
        self._settings = settings
        self._admission = admission or Admission()
        self._log_throttle = LogThrottle()
        self.connections = connections or Connections()
        """Those to the inboxes, which reconciliation borrows too."""
        self._running: dict[str, Deleter] = {}
        self._schedule = DeleteSchedule(
            self._running, journal, self._admission, self._log_throttle, self.connections, poll_seconds=poll_seconds
        )
        self._names = _names_of(accounts)
        self._stopped = False
        self._lock = threading.Lock()
        for account in _with_inbox(accounts):
            self._running[account.reference] = self._built(account, settings)

    def __iter__(self) -> Iterator[Deleter]:
        return iter(list(self._running.values()))

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, account: object) -> bool:
        """Whether the account of this name has an inbox that is emptied."""
        return account in self._names  # not in _running: there it is missing while its deleter is replaced

    def start(self) -> None:
        """Begin to delete what is handled."""
        self._schedule.start()

    def expect(self, accounts: Iterable[Account]) -> None:
        """Count the inboxes of these accounts in: what is handled from now on is to be deleted there."""
        self._names |= _names_of(accounts)

    def prepare(self, accounts: Sequence[Account], settings: DeleteSettings) -> Change:
        """Build what is new for these accounts, and change nothing yet; those that stay as they are are kept."""
        with self._lock:
            kept = {
                account.reference: self._running[account.reference]
                for account in _with_inbox(accounts)
                if settings == self._settings
                and account.reference in self._running
                and account.inbox == self._running[account.reference].settings
            }
        added = {
            account.reference: self._built(account, settings)
            for account in _with_inbox(accounts)
            if account.reference not in kept
        }
        return Change(settings, _names_of(accounts), kept, added)

    def change(self, change: Change, timeout: float) -> None:
        """Take over what was prepared. Those that stay as they are go on undisturbed.

        Waits up to ``timeout`` seconds for the calls in flight of those that are replaced or ended.
        """
        with self._lock:
            if self._stopped:
                return
            self._settings = change.settings
            self._names = change.names
            replaced = [self._running.pop(each.account) for each in self if each.account not in change.kept]
            _end(replaced, timeout)
            for reference, deleter in change.added.items():
                self._running[reference] = deleter
                if self._schedule.is_running:
                    telemetry.emit("inbox_taken_over", account=reference)
            self._schedule.wake()

    def stop(self, left: Callable[[], float]) -> bool:
        """Let each finish and settle its call in flight; return whether the time was enough for all.

        ``left`` says how many seconds there are for the next one.
        """
        with self._lock:
            self._stopped = True
            for deleter in self:
                deleter.stopping.set()  # of all, before the wait for the first
            ended = self._schedule.stop(left())
            ended = all([deleter.stop(left()) for deleter in self]) and ended  # noqa: C419 - all are stopped
            self.connections.close()
            return ended

    def _built(self, account: Account, settings: DeleteSettings) -> Deleter:
        assert account.inbox is not None  # noqa: S101 - tells mypy what _with_inbox made sure of
        return Deleter(
            account.reference,
            account.inbox,
            self._journal,
            settings,
            admission=self._admission,
            log_throttle=self._log_throttle,
            connections=self.connections,
        )


def _end(deleters: Sequence[Deleter], timeout: float) -> None:
    """Wait for calls in flight, ``timeout`` seconds at most for all of them."""
    deadline = time.monotonic() + timeout
    for deleter in deleters:
        deleter.stopping.set()
    for deleter in deleters:
        if not deleter.stop(
            max(0.0, deadline - time.monotonic())
        ):  # its call goes on and is settled, or leases run out
            telemetry.emit("deletion_not_ended", account=deleter.account, seconds=timeout)
        CIRCUIT_OPEN.set(0, "inbox", deleter.account)  # nothing closes its circuit any more


def _with_inbox(accounts: Iterable[Account]) -> list[Account]:
    return [account for account in accounts if account.inbox is not None]


def _names_of(accounts: Iterable[Account]) -> frozenset[str]:
    """Return all names of those that have an inbox: what is being handled may still bear a former one."""
    return frozenset(name for account in _with_inbox(accounts) for name in (account.reference, *account.aliases))
