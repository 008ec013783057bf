"""The accounts: which one a push is for, under either of its names, and whether the caller may speak for it.

Does not know who called from where, and logs nothing about it: see ``receive/receiver.py``.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from soap_handler.accounts.equal_work import EqualWork, identity_of, verifiers_of
from soap_handler.accounts.verifiers import quick_check
from soap_handler.errors import AuthenticationError
from soap_handler.settings import name_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from soap_handler.accounts.verifiers import Verifier
    from soap_handler.settings import AccountSettings, InboxSettings


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller presents: the ``MessengerHeader`` of SOAP, or its counterpart elsewhere (contract, section 1)."""

    username: str
    password: str = field(repr=False)
    account: str


@dataclass(frozen=True)
class Account:
    """One EMS account, as the rest of the program needs it."""

    reference: str
    """Its name in the settings; what notifications and the journal call it, whichever name EMS used."""
    aliases: tuple[str, ...]
    time_zone: ZoneInfo
    """The zone of times that EMS sends without one."""
    anonymous: bool
    inbox: InboxSettings | None
    verifiers: tuple[Verifier, ...] = field(repr=False, compare=False)


class Accounts:
    """The configured accounts: looked up by name, and the credentials of a caller checked against them.

    User names and passwords are compared exactly; account names without outer white space and letter case. Every
    refusal takes the same work (see equal_work.py). A password of which only a hash is known is costly to check, but
    only until it was right for the first time.
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
        self._accounts = tuple(
            _account(account, self._work.padded(each)) for account, each in zip(known, own, strict=True)
        )
        self._by_name = {
            name_key(name): account for account in self._accounts for name in (account.reference, *account.aliases)
        }
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

    def get(self, name: str) -> Account | None:
        """Return the account of a reference or alias, or ``None``."""
        return self._by_name.get(name_key(name))

    def presumed(self, username: str, password: str) -> Account | None:
        """Return the account of a caller that names none of them: the only one, or the only one with this pair.

        It proves nothing: the pair is still to be checked. Every account's verifiers are asked, whatever they say.
        """
        if len(self._accounts) == 1:
            return self._accounts[0]
        owners = [account for account in self._accounts if quick_check(account.verifiers, username, password)]
        return owners[0] if len(owners) == 1 else None

    def authenticate(
        self, credentials: Credentials | None, may_check: Callable[[bytes], bool] = lambda _: True
    ) -> Account:
        """Return the account that the caller may speak for.

        An anonymous account takes any user name and password. ``None`` means that the caller sent no credentials at
        all: that is enough only where there is no choice, with one account which is anonymous. A caller that names no
        account, as with HTTP Basic alone, means the only one.

        ``may_check`` is asked before a slow check, so never about a pair that the quick check finds right, and is given
        what tells this pair from others. Where it says no, the pair stays unchecked.

        Raises:
            AuthenticationError: the credentials are wrong; always in the same words.
            CredentialsUncheckedError: they could not be checked now, so they may be right.
        """
        account = self._claimed(credentials)
        verifiers = account.verifiers if account else self._work.decoys
        username, password = (credentials.username, credentials.password) if credentials else ("", "")
        right = quick_check(verifiers, username, password)
        if account and (right or account.anonymous):
            return account
        named = account.reference if account else ""
        right, computed = self._work.slow_check(named, verifiers, (username, password), may_check)
        if account and right:
            return account
        with self._lock:
            self._refused += 1
        raise AuthenticationError(computed=computed)

    @property
    def slow_checks(self) -> bool:
        """Whether it may take a slow check to refuse credentials: of some password only a hash is known."""
        return self._work.slow

    def recognise(self, several: Sequence[Credentials]) -> list[Account | None]:
        """Return what :meth:`authenticate` would, where that needs no slow check, else ``None``. Counts nothing.

        Credentials that are there several times are checked once.
        """
        answers = {each: self._recognised(each) for each in dict.fromkeys(several)}
        return [answers[credentials] for credentials in several]

    def _recognised(self, credentials: Credentials) -> Account | None:
        account = self.get(credentials.account)
        if account is None:
            return None
        right = quick_check(account.verifiers, credentials.username, credentials.password)
        return account if right or account.anonymous else None

    def _claimed(self, credentials: Credentials | None) -> Account | None:
        if credentials is not None and credentials.account:
            return self.get(credentials.account)
        alone = self._accounts[0] if len(self._accounts) == 1 else None
        if credentials is None:
            return alone if alone and alone.anonymous else None
        return alone if credentials.username or credentials.password else None


def _account(settings: AccountSettings, verifiers: tuple[Verifier, ...]) -> Account:
    return Account(
        reference=settings.reference,
        aliases=settings.aliases,
        time_zone=ZoneInfo(settings.time_zone),
        anonymous=settings.anonymous,
        inbox=settings.inbox,
        verifiers=verifiers,
    )
