"""The deleters of all accounts: started, replaced when a login changes, stopped. deleter.py is one of them.

A deleter that is stopped settles the call it has in flight, so replacing one loses and repeats nothing.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from soap_handler import telemetry
from soap_handler.inbox.client import Inbox
from soap_handler.inbox.deleter import Deleter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from soap_handler.accounts.accounts import Account
    from soap_handler.dispatch.admission import Admission
    from soap_handler.journal import Journal
    from soap_handler.settings import DeleteSettings, InboxSettings


class _Running(NamedTuple):
    deleter: Deleter
    inbox: Inbox
    settings: InboxSettings


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
        self._admission = admission
        self._running: dict[str, _Running] = {}
        self._references = frozenset(account.reference for account in _with_inbox(accounts))
        self._started = False
        self._stopped = False
        self._lock = threading.Lock()
        for account in _with_inbox(accounts):
            self._add(account)

    def __iter__(self) -> Iterator[Deleter]:
        return iter([running.deleter for running in list(self._running.values())])

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, account: object) -> bool:
        """Whether the account of this reference has an inbox that is emptied."""
        return account in self._references  # not in _running: there it is missing while its deleter is replaced

    def start(self) -> None:
        """Begin to delete what is handled."""
        with self._lock:
            self._started = True
            for deleter in self:
                deleter.start()

    def expect(self, accounts: Iterable[Account]) -> None:
        """Count the inboxes of these accounts in: what is handled from now on is to be deleted there."""
        self._references |= {account.reference for account in _with_inbox(accounts)}

    def change(self, accounts: Iterable[Account], settings: DeleteSettings, timeout: float) -> None:
        """Take over the inboxes of these accounts; those that stay as they are go on undisturbed.

        Waits up to ``timeout`` seconds for the call in flight of each that is replaced or ended.
        """
        with self._lock:
            if self._stopped:
                return
            all_change = settings != self._settings
            self._settings = settings
            wanted = {account.reference: account for account in _with_inbox(accounts)}
            self._references = frozenset(wanted)
            for reference, running in list(self._running.items()):
                if all_change or reference not in wanted or wanted[reference].inbox != running.settings:
                    self._end(reference, timeout)
            for account in wanted.values():
                if account.reference not in self._running:
                    self._add(account)

    def stop(self, left: Callable[[], float]) -> bool:
        """Let each finish and settle its call in flight; return whether the time was enough for all.

        ``left`` says how many seconds there are for the next one.
        """
        with self._lock:
            self._stopped = True
            done = [deleter.stop(left()) for deleter in self]
            for running in self._running.values():
                running.inbox.close()
            return all(done)

    def _add(self, account: Account) -> None:
        assert account.inbox is not None  # noqa: S101 - tells mypy what _with_inbox made sure of
        inbox = Inbox(account.reference, account.inbox)
        deleter = Deleter(account.reference, inbox, self._journal, self._settings, self._admission)
        self._running[account.reference] = _Running(deleter, inbox, account.inbox)
        if self._started:
            deleter.start()
            telemetry.emit("inbox_taken_over", account=account.reference)

    def _end(self, reference: str, timeout: float) -> None:
        running = self._running.pop(reference)
        if running.deleter.stop(timeout):
            running.inbox.close()
        else:  # its call goes on and is settled, or its leases run out
            telemetry.emit("deletion_not_ended", account=reference, seconds=timeout)


def _with_inbox(accounts: Iterable[Account]) -> list[Account]:
    return [account for account in accounts if account.inbox is not None]
