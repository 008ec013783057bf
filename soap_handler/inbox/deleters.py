"""The deleters of all accounts: started, replaced when a login changes, stopped. deleter.py is one of them.

A deleter that is stopped settles the call it has in flight, so replacing one loses and repeats nothing. When they make
their turns, delete_schedule.py says.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from soap_handler import telemetry
from soap_handler.dispatch.admission import Admission
from soap_handler.inbox.delete_schedule import DeleteSchedule
from soap_handler.inbox.deleter import Deleter
from soap_handler.log_throttle import LogThrottle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from soap_handler.accounts.accounts import Account
    from soap_handler.journal import Journal
    from soap_handler.settings import DeleteSettings


class Deleters:
    """One deleter for each account that has an inbox."""

    def __init__(
        self,
        accounts: Iterable[Account],
        journal: Journal,
        settings: DeleteSettings,
        admission: Admission | None = None,
    ) -> None:
        """Build a deleter for each account. The journal is not closed by this class."""
        self._journal = journal
        self._settings = settings
        self._admission = admission or Admission()
        self._log_throttle = LogThrottle()
        self._running: dict[str, Deleter] = {}
        self._schedule = DeleteSchedule(self._running, journal, self._admission, self._log_throttle)
        self._references = frozenset(account.reference for account in _with_inbox(accounts))
        self._stopped = False
        self._lock = threading.Lock()
        for account in _with_inbox(accounts):
            self._add(account)

    def __iter__(self) -> Iterator[Deleter]:
        return iter(list(self._running.values()))

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, account: object) -> bool:
        """Whether the account of this reference has an inbox that is emptied."""
        return account in self._references  # not in _running: there it is missing while its deleter is replaced

    def start(self) -> None:
        """Begin to delete what is handled."""
        self._schedule.start()

    def expect(self, accounts: Iterable[Account]) -> None:
        """Count the inboxes of these accounts in: what is handled from now on is to be deleted there."""
        self._references |= {account.reference for account in _with_inbox(accounts)}

    def change(self, accounts: Iterable[Account], settings: DeleteSettings, timeout: float) -> None:
        """Take over the inboxes of these accounts; those that stay as they are go on undisturbed.

        Waits up to ``timeout`` seconds for the calls in flight of those that are replaced or ended.
        """
        with self._lock:
            if self._stopped:
                return
            all_change = settings != self._settings
            self._settings = settings
            wanted = {account.reference: account for account in _with_inbox(accounts)}
            self._references = frozenset(wanted)
            replaced = [
                self._running.pop(each.account)
                for each in self
                if all_change or each.account not in wanted or wanted[each.account].inbox != each.settings
            ]
            _end(replaced, timeout)
            for account in wanted.values():
                if account.reference not in self._running:
                    self._add(account)
                    if self._schedule.is_running:
                        telemetry.emit("inbox_taken_over", account=account.reference)
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
            return all([deleter.stop(left()) for deleter in self]) and ended  # noqa: C419 - all are stopped

    def _add(self, account: Account) -> None:
        assert account.inbox is not None  # noqa: S101 - tells mypy what _with_inbox made sure of
        self._running[account.reference] = Deleter(
            account.reference,
            account.inbox,
            self._journal,
            self._settings,
            admission=self._admission,
            log_throttle=self._log_throttle,
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


def _with_inbox(accounts: Iterable[Account]) -> list[Account]:
    return [account for account in accounts if account.inbox is not None]
