"""The use case at the front door: authenticate, read, key, journal. It knows no wire format and answers nobody.

It is the first of two halves with the commit between them: :meth:`Receiver.prepare` does everything up to the commit.
So one thread can take in many requests and share one commit among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.accounts.throttle import Throttle, client_network
from soap_handler.errors import AuthenticationError
from soap_handler.journal import Entry
from soap_handler.log_throttle import LogThrottle
from soap_handler.receive.values import read_notification

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.accounts.accounts import Account, Accounts, Credentials
    from soap_handler.notifications import Kind
    from soap_handler.receive.values import Fields


def _no_envelope() -> None:
    return None


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
    envelope: Callable[[], bytes | None] = _no_envelope
    """Gives the request as it came, password masked, or ``None``; asked only where something had to be mended."""


_WRONG_LOGINS: Final = 5


def _now() -> datetime:
    return datetime.now(UTC)


class Receiver:
    """Turns pushes into entries for the journal."""

    def __init__(
        self, accounts: Accounts, throttle: Throttle | None = None, clock: Callable[[], datetime] = _now
    ) -> None:
        self.accounts = accounts
        """May be replaced by others at any time; a push is checked against either the old or the new ones."""
        self._throttle = Throttle(_WRONG_LOGINS, 0.0) if throttle is None else throttle
        self._log_throttle = LogThrottle()
        self._clock = clock

    def prepare(self, push: Push) -> Entry:
        """Do everything up to the commit: return what is to be recorded.

        Raises:
            AuthenticationError: the caller is not EMS calling for one of our accounts. Counted and logged.
        """
        account = self._authenticate(push)
        notification = read_notification(
            push.kind, push.fields, account=account.reference, zone=account.time_zone, repaired=push.repaired
        )
        envelope = push.envelope() if notification.repaired else None
        return Entry(notification, self._clock(), envelope=envelope)

    def prepare_known(self, pushes: Sequence[tuple[Kind, Fields, Credentials]]) -> list[Entry | None]:
        """Do likewise for pushes that need no mending, of callers who are known; ``None``: :meth:`prepare` decides."""
        now = self._clock()
        accounts = self.accounts.recognise([credentials for _, _, credentials in pushes])
        notifications = [
            None
            if account is None
            else read_notification(kind, fields, account=account.reference, zone=account.time_zone)
            for account, (kind, fields, _) in zip(accounts, pushes, strict=True)
        ]
        return [None if each is None or each.repaired else Entry(each, now) for each in notifications]

    def _authenticate(self, push: Push) -> Account:
        accounts = self.accounts
        claimed = accounts.get(push.credentials.account) if push.credentials else None
        # What a log may say of the account: its reference, never the caller's text (it may be a number).
        reference = claimed.reference if claimed else None
        key = (client_network(push.caller), reference)
        try:
            return accounts.authenticate(push.credentials, lambda: self._throttle.may_check(key))
        except AuthenticationError:
            delay = self._throttle.failed(key)
            if times := 1 if delay is None else self._log_throttle.due(key):
                telemetry.emit(
                    "authentication_failed",
                    caller=push.caller,
                    account=reference,
                    operation=push.kind.value,
                    times=times,
                    count=accounts.refused,
                )
            raise AuthenticationError(delay or 0.0) from None
