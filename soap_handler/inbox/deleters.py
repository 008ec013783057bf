"""The deleters of all accounts: started, replaced when a login changes, stopped. How one works is ``deletion``'s.

A deleter that is stopped settles the call it has in flight, so replacing one loses and repeats nothing.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from soap_handler import telemetry
from soap_handler.inbox import Inbox
from soap_handler.inbox.deleter import Deleter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from soap_handler.accounts.accounts import Account
    from soap_handler.journal import Journal
    from soap_handler.settings import DeleteSettings, InboxSettings


class Deleters:
    """One deleter for each account that has an inbox."""

    def __init__(
        self, accounts: Iterable[Account], journal: Journal, settings: DeleteSettings, gap: Callable[[], float]
    ) -> None:
        """Build a deleter for each, with this ``gap``; the journal is closed by whoever built it."""
        self._journal = journal
        self._settings = settings
        self._gap = gap
        self._running: dict[str, tuple[Deleter, Inbox, InboxSettings]] = {}
        self._references: frozenset[str] = frozenset()
        self._started = False
        self._stopped = False
        self._lock = threading.Lock()
        for account in self._wanted(accounts):
            self._add(account)

    def __iter__(self) -> Iterator[Deleter]:
        return iter([deleter for deleter, _, _ in list(self._running.values())])

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
        """Count the inboxes of these accounts in from now on: what is handled from now on is to be deleted there."""
        self._references |= {account.reference for account in accounts if account.inbox is not None}

    def change(self, accounts: Iterable[Account], settings: DeleteSettings, patience: float) -> None:
        """Take over the inboxes of these accounts; those that stay as they are go on undisturbed.

        Waits up to ``patience`` seconds for the call in flight of each that is replaced or ended.
        """
        with self._lock:
            if self._stopped:
                return
            all_change = settings != self._settings
            self._settings = settings
            wanted = {account.reference: account for account in self._wanted(accounts)}
            for reference, (_, _, known) in list(self._running.items()):
                if all_change or reference not in wanted or wanted[reference].inbox != known:
                    self._end(reference, patience)
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
            for _, inbox, _ in self._running.values():
                inbox.close()
            return all(done)

    def _wanted(self, accounts: Iterable[Account]) -> list[Account]:
        wanted = [account for account in accounts if account.inbox is not None]
        self._references = frozenset(account.reference for account in wanted)
        return wanted

    def _add(self, account: Account) -> None:
        assert account.inbox is not None  # noqa: S101 - tells mypy what _wanted made sure of
        inbox = Inbox(account.reference, account.inbox)
        deleter = Deleter(account.reference, inbox, self._journal, self._settings, self._gap)
        self._running[account.reference] = (deleter, inbox, account.inbox)
        if self._started:
            deleter.start()
            telemetry.emit("inbox_taken_over", account=account.reference)

    def _end(self, reference: str, patience: float) -> None:
        deleter, inbox, _ = self._running.pop(reference)
        if deleter.stop(patience):
            inbox.close()
        else:  # its call goes on and is settled, or its leases run out
            telemetry.emit("deletion_not_ended", account=reference, seconds=patience)
