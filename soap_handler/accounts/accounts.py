"""The configured accounts, built from the settings at the start and at a reload. Callers are checked by their base."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from soap_handler.accounts.authentication import Account, Authentication, quick_check
from soap_handler.accounts.equal_work import EqualWork, identity_of, verifiers_of
from soap_handler.errors import AuthenticationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from soap_handler.accounts.authentication import Verifier
    from soap_handler.settings import AccountSettings


class Accounts(Authentication):
    """The configured accounts: looked up by name, and the credentials of a caller checked against them.

    Every refusal takes the same work (see equal_work.py). A password of which only a hash is known is costly to check,
    but only until it was right for the first time.
    """

    def __init__(self, settings: Iterable[AccountSettings], before: Accounts | None = None) -> None:
        """``before`` are the accounts that these replace: what was counted and proved with them stays so."""
        known = list(settings)
        self._verifiers: dict[str, Verifier] = verifiers_of(
            (pair for account in known for pair in account.credentials),
            before._verifiers if before else {},  # noqa: SLF001 - of the same class
        )
        own = [[self._verifiers[identity_of(pair)] for pair in account.credentials] for account in known]
        self._work = EqualWork(own)
        super().__init__([_account(account, self._work.padded(each)) for account, each in zip(known, own, strict=True)])
        self._refused = before.refused if before else 0
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts)

    def __len__(self) -> int:
        return len(self._accounts)

    @property
    def refused(self) -> int:
        """How many calls of :meth:`authenticate` were refused since the start."""
        return self._refused

    @property
    def slow_checks(self) -> bool:
        """Whether it may take a slow check to refuse credentials: of some password only a hash is known."""
        return self._work.slow

    def presumed(self, username: str, password: str) -> Account | None:
        """Return the account of a caller that names none of them: the only one, or the only one with this pair.

        It proves nothing: the pair is still to be checked. Every account's verifiers are asked, whatever they say.
        """
        if len(self._accounts) == 1:
            return self._accounts[0]
        owners = [account for account in self._accounts if quick_check(account.verifiers, username, password)]
        return owners[0] if len(owners) == 1 else None

    def _decoys(self) -> Sequence[Verifier]:
        return self._work.decoys

    def _check_slowly(
        self, account: Account | None, username: str, password: str, may_check: Callable[[bytes], bool]
    ) -> Account:
        verifiers = account.verifiers if account else self._work.decoys
        named = account.reference if account else ""
        right, computed = self._work.slow_check(named, verifiers, (username, password), may_check)
        if account and right:
            return account
        with self._lock:
            self._refused += 1
        raise AuthenticationError(computed=computed)


def _account(settings: AccountSettings, verifiers: tuple[Verifier, ...]) -> Account:
    return Account(
        reference=settings.reference,
        aliases=settings.aliases,
        time_zone=ZoneInfo(settings.time_zone),
        anonymous=settings.anonymous,
        inbox=settings.inbox,
        verifiers=verifiers,
    )
