"""The use case at the front door: authenticate, read the values, key. It knows no wire format and sends no answer.

It is the first half of a push, up to the commit. The commit and the answer are left to its caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler import clock
from soap_handler.errors import AuthenticationError, CredentialsUncheckedError
from soap_handler.journal import Entry
from soap_handler.receive.identity import identified
from soap_handler.receive.values import read_notification
from soap_handler.receive.wrong_logins import WrongLogins

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from soap_handler.accounts.accounts import Accounts
    from soap_handler.accounts.authentication import Account
    from soap_handler.accounts.throttle import Throttle
    from soap_handler.receive.push import Push


class Receiver:
    """Turns pushes into entries for the journal. Thread-safe."""

    def __init__(
        self, accounts: Accounts, throttle: Throttle | None = None, now: Callable[[], datetime] = clock.now
    ) -> None:
        """``throttle`` slows wrong logins; the default one counts them and slows none."""
        self.accounts = accounts
        """May be replaced by others at any time; a push is checked against either the old or the new ones."""
        self._wrong_logins = WrongLogins(throttle)
        self._now = now

    def prepare(self, push: Push) -> Entry:
        """Do everything up to the commit: return what is to be recorded, all notifications of a request together.

        Raises:
            AuthenticationError: the caller is not EMS calling for one of our accounts. Counted and logged.
            CredentialsUncheckedError: that could not be found out now. Logged.
        """
        account = self._authenticate(push)
        now = self._now()
        others = tuple(_entry(other, account, now, number) for number, other in enumerate(push.others, 1))
        return _entry(push, account, now, 0, others)

    def _authenticate(self, push: Push) -> Account:
        accounts = self.accounts
        try:
            return accounts.authenticate(push.credentials, lambda pair: self._wrong_logins.may_check(push, pair))
        except CredentialsUncheckedError:
            self._wrong_logins.note_unchecked(push, accounts)
            raise
        except AuthenticationError as error:
            raise AuthenticationError(self._wrong_logins.note(push, accounts, computed=error.computed)) from None


def _entry(push: Push, account: Account, now: datetime, number: int, others: tuple[Entry, ...] = ()) -> Entry:
    """Return the entry of one notification. ``number`` is its place in the request."""
    notification = read_notification(
        push.kind,
        push.fields,
        account=account.reference,
        zone=account.time_zone,
        repaired=push.repaired,
        optional=push.optional,
    )
    envelope = None
    if notification.repaired:
        envelope = push.envelope()
        notification = identified(notification, lambda: push.operation(envelope), push.doubtful, number)
    return Entry(notification, now, envelope=envelope, others=others, caller=push.caller, api=push.api)
