"""Wrong logins: they are counted, slowed by the throttle and logged, without what was presented. No usual push has one.

Each is counted for the caller's network, for the account that it names, and for hashes that were computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.accounts.throttle import Throttle, client_network
from soap_handler.log_throttle import LogThrottle
from soap_handler.metrics.catalogue import WRONG_LOGINS
from soap_handler.receive.presented import shown
from soap_handler.settings import name_key

if TYPE_CHECKING:
    from soap_handler.accounts.accounts import Accounts
    from soap_handler.receive.push import Push

_LOGIN_FAILURES_ALLOWED: Final = 5
_ALL_ACCOUNTS: Final = 20  # budgets of an address for all accounts together, known and unknown


class WrongLogins:
    """Counts, slows and logs the logins that were wrong, or could not be checked. Thread-safe."""

    def __init__(self, throttle: Throttle | None = None) -> None:
        """Take the throttle to slow them by; the default one counts them and slows none."""
        self._throttle = Throttle(_LOGIN_FAILURES_ALLOWED, 0.0) if throttle is None else throttle
        self._log_throttle = LogThrottle()

    def may_check(self, push: Push, pair: bytes) -> bool:
        """Whether a login may be checked slowly. ``pair`` tells its user name and password from others."""
        own, all_hashes = _throttle_key(push), (_network(push), "hashes")
        return self._throttle.may_check(own, pair) and self._throttle.may_check(all_hashes, pair, _ALL_ACCOUNTS)

    def note_unchecked(self, push: Push, accounts: Accounts) -> None:
        """Note that a login could not be checked now."""
        WRONG_LOGINS.add(1, "unchecked")
        account = _known(accounts, push)
        if times := self._log_throttle.due((_network(push), account, "unchecked")):
            telemetry.emit("credentials_unchecked", **_named(push, account), times=times)

    def note(self, push: Push, accounts: Accounts, *, computed: bool) -> float:
        """Note a wrong login; return for how long (seconds) to hold the answer back.

        ``computed``: it took a hash to find out.
        """
        delay = self._failed(push, computed=computed)
        WRONG_LOGINS.add(1, "delayed" if delay else "answered")
        account = _known(accounts, push)
        if times := 1 if delay is None else self._log_throttle.due((_network(push), account)):
            telemetry.emit("authentication_failed", **_named(push, account), times=times, count=accounts.refused)
        return delay or 0.0

    def _failed(self, push: Push, *, computed: bool) -> float | None:
        """Count wrong credentials; return for how long to hold the answer back, or ``None`` within the budget."""
        if computed:
            self._throttle.failed((_network(push), "hashes"), _ALL_ACCOUNTS)
        own = self._throttle.failed(_throttle_key(push))
        of_all = self._throttle.failed((_network(push), "all"), _ALL_ACCOUNTS)
        return own if of_all is None else max(of_all, own or 0.0)


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
