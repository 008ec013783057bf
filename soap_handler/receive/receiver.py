"""The use case at the front door: authenticate, read the values, key. It knows no wire format and sends no answer.

It is the first half of a push, up to the commit. The commit and the answer are left to its caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from soap_handler import clock, telemetry
from soap_handler.accounts.throttle import Throttle, client_network
from soap_handler.errors import AuthenticationError, CredentialsUncheckedError
from soap_handler.journal import Entry
from soap_handler.log_throttle import LogThrottle
from soap_handler.metrics.catalogue import WRONG_LOGINS
from soap_handler.receive.identity import identified
from soap_handler.receive.presented import shown
from soap_handler.receive.values import read_notification
from soap_handler.settings import name_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from soap_handler.accounts.accounts import Accounts
    from soap_handler.accounts.authentication import Account, Credentials
    from soap_handler.notifications import Kind
    from soap_handler.receive.values import Fields

_LOGIN_FAILURES_ALLOWED: Final = 5
_ALL_ACCOUNTS: Final = 20  # budgets of an address for all accounts together, known and unknown


def _no_envelope() -> None:
    return None


def _as_kept(kept: bytes | None) -> bytes:
    return kept or b""


@dataclass(frozen=True, slots=True)
class Push:
    """What a face read off the wire, whichever face it was."""

    kind: Kind
    fields: Fields
    credentials: Credentials | None
    caller: str
    """The address of the caller."""
    repaired: tuple[str, ...] = ()
    """What the face had to mend before it could read the request."""
    envelope: Callable[[], bytes | None] = _no_envelope
    """Gives the request as it came, password masked. Called only where something had to be mended."""
    optional: frozenset[str] = frozenset()
    """Attributes that this version of the API may leave out."""
    doubtful: frozenset[str] = frozenset()
    """Attributes of which more than one text came, or one in a doubtful place."""
    operation: Callable[[bytes | None], bytes] = _as_kept
    """Gives the operation as it came, without credentials, from what ``envelope`` gave. Called as that is."""
    others: tuple[Push, ...] = ()
    """Further notifications of the same request, from the same caller with the same credentials."""
    size: int | None = None
    """Of the request's body in bytes, for the log; ``None`` where that is not known."""
    api: str | None = None
    """The version of the API (``faces.origin``)."""


class Receiver:
    """Turns pushes into entries for the journal. Thread-safe."""

    def __init__(
        self, accounts: Accounts, throttle: Throttle | None = None, now: Callable[[], datetime] = clock.now
    ) -> None:
        """``throttle`` slows wrong logins; the default one counts them and slows none."""
        self.accounts = accounts
        """May be replaced by others at any time; a push is checked against either the old or the new ones."""
        self._throttle = Throttle(_LOGIN_FAILURES_ALLOWED, 0.0) if throttle is None else throttle
        self._log_throttle = LogThrottle()
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
            return accounts.authenticate(push.credentials, lambda pair: self._may_check(push, pair))
        except CredentialsUncheckedError:
            WRONG_LOGINS.add(1, "unchecked")
            account = _known(accounts, push)
            if times := self._log_throttle.due((_network(push), account, "unchecked")):
                telemetry.emit("credentials_unchecked", **_named(push, account), times=times)
            raise
        except AuthenticationError as error:
            delay = self._failed(push, computed=error.computed)
            WRONG_LOGINS.add(1, "delayed" if delay else "answered")
            account = _known(accounts, push)
            if times := 1 if delay is None else self._log_throttle.due((_network(push), account)):
                telemetry.emit("authentication_failed", **_named(push, account), times=times, count=accounts.refused)
            raise AuthenticationError(delay or 0.0) from None

    def _may_check(self, push: Push, pair: bytes) -> bool:
        own, all_hashes = _throttle_key(push), (_network(push), "hashes")
        return self._throttle.may_check(own, pair) and self._throttle.may_check(all_hashes, pair, _ALL_ACCOUNTS)

    def _failed(self, push: Push, *, computed: bool) -> float | None:
        """Count wrong credentials; return for how long to hold the answer back, or ``None`` within the budget."""
        if computed:
            self._throttle.failed((_network(push), "hashes"), _ALL_ACCOUNTS)
        own = self._throttle.failed(_throttle_key(push))
        of_all = self._throttle.failed((_network(push), "all"), _ALL_ACCOUNTS)
        return own if of_all is None else max(of_all, own or 0.0)


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


def _network(push: Push) -> str:
    return client_network(push.caller)


def _throttle_key(push: Push) -> tuple[str, str, int]:
    """Return what wrong logins are counted by: the caller's network and the account that it names, known or not.

    A known account must not be told from an unknown one by the delay, so each name has a budget.
    """
    return _network(push), "account", hash(name_key(push.credentials.account)) if push.credentials else 0


def _named(push: Push, account: str | None) -> dict[str, str | int | None]:
    """Return who called, for which account; where no account matches, what the log may show of the name."""
    presented = shown(push.credentials) if account is None else None
    return {
        "caller": push.caller,
        "account": account,
        "presented": presented,
        "operation": push.kind.value,
        "size": push.size,
    }


def _known(accounts: Accounts, push: Push) -> str | None:
    """Return the reference of the account that is named, which a log may hold; the caller's text may be a number."""
    claimed = accounts.get(push.credentials.account) if push.credentials else None
    return claimed.reference if claimed else None
