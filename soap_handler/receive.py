"""The use case at the front door: authenticate, read, key, journal. It knows no wire format and answers nobody.

It works in two halves with the commit between them: :meth:`Receiver.submit` does everything up to the commit, and
the future that it returns is done after it. So one thread can take in many requests and share one commit among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from soap_handler.errors import AuthenticationError
from soap_handler.journal import Entry
from soap_handler.reading import read_notification

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from soap_handler.accounts import Account, Accounts, Credentials
    from soap_handler.journal import Journal
    from soap_handler.notifications import Kind
    from soap_handler.reading import Fields

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Push:
    """What a face read off the wire, whichever face it was."""

    kind: Kind
    fields: Fields
    credentials: Credentials | None
    caller: str
    """The address of who called."""
    repaired: tuple[str, ...] = ()
    """What the face had to mend before it could read the request."""
    envelope: bytes | None = None
    """The request as it came, password masked; given where something had to be mended."""


def _now() -> datetime:
    return datetime.now(UTC)


class Receiver:
    """Takes in pushes and puts them into the journal."""

    def __init__(self, accounts: Accounts, journal: Journal, clock: Callable[[], datetime] = _now) -> None:
        self._accounts = accounts
        self._journal = journal
        self._clock = clock

    def submit(self, push: Push) -> Future[bool]:
        """Do everything up to the commit. The future's result is true for a new notification, false for a duplicate.

        Raises:
            AuthenticationError: the caller is not EMS calling for one of our accounts. Counted and logged.
        """
        account = self._authenticate(push)
        notification = read_notification(
            push.kind, push.fields, account=account.reference, zone=account.time_zone, repaired=push.repaired
        )
        return self._journal.submit(Entry(notification, self._clock(), envelope=push.envelope))

    def complete(self, commit: Future[bool]) -> bool:
        """Wait for the commit; return whether the notification was new.

        Raises:
            JournalUnavailableError: nothing was stored; EMS must push again.
        """
        return self._journal.wait(commit)

    def _authenticate(self, push: Push) -> Account:
        try:
            return self._accounts.authenticate(push.credentials)
        except AuthenticationError:
            log.warning(
                "authentication_failed",
                caller=push.caller,
                account=push.credentials.account[:64] if push.credentials else None,
                operation=push.kind.value,
                count=self._accounts.refused,
            )
            raise
