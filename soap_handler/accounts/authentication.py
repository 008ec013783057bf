"""Authentication: whose push it is, by the account's name, and the quick check of the password.

A usual push needs no more than this. What is configured is in ``accounts.py``; what a refusal takes, and a password of
which only a hash is known, in ``equal_work.py``. Does not know who called from where, and logs nothing about it.
"""

from __future__ import annotations

import hashlib
import hmac
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from soap_handler.settings import name_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from soap_handler.settings import InboxSettings


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller presents: the ``MessengerHeader`` of SOAP, or its counterpart elsewhere (contract, section 1)."""

    username: str
    password: str = field(repr=False)
    account: str


class Verifier(ABC):
    """A verifier of one user name and password from the settings. It does not know whose they are."""

    __slots__ = ()

    @abstractmethod
    def quick_check(self, username: str, password: str) -> bool:
        """Whether this is the pair, as far as that can be told without a slow check. It takes constant time."""


class DigestVerifier(Verifier):
    """Verifies against SHA-256 digests of the pair: of one length, so comparing them tells nothing about the text."""

    __slots__ = ("_password", "_username")

    def __init__(self, username: str, password: str) -> None:
        self._username = digest_of(username)
        self._password = digest_of(password)

    def quick_check(self, username: str, password: str) -> bool:
        """Whether this is the pair."""
        same_user = hmac.compare_digest(self._username, digest_of(username))
        same_password = hmac.compare_digest(self._password, digest_of(password))
        return same_user & same_password  # not "and": both are always compared


def quick_check(verifiers: Sequence[Verifier], username: str, password: str) -> bool:
    """Whether the quick check of one of the verifiers finds the pair right. All are asked, whatever the first says."""
    return any([verifier.quick_check(username, password) for verifier in verifiers])  # noqa: C419 - all are asked


def digest_of(text: str) -> bytes:
    """Return the digest by which a user name or a password is compared."""
    # surrogatepass: a tolerant reader may hand on half an emoji, which must be refused and not crash
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


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


class Authentication(ABC):
    """The accounts by name, and the check of a caller's credentials against them.

    User names and passwords are compared exactly; account names without outer white space and letter case.
    """

    def __init__(self, accounts: Sequence[Account]) -> None:
        self._accounts = tuple(accounts)
        self._by_name: Mapping[str, Account] = {
            spelt: each
            for each in self._accounts
            for name in (each.reference, *each.aliases)
            for spelt in (name, name_key(name))
        }

    def get(self, name: str) -> Account | None:
        """Return the account of a reference or alias, or ``None``."""
        return self._by_name.get(name) or self._by_name.get(name_key(name))

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
        username, password = (credentials.username, credentials.password) if credentials else ("", "")
        right = quick_check(account.verifiers if account else self._decoys(), username, password)
        if account and (right or account.anonymous):
            return account
        return self._check_slowly(account, username, password, may_check)

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

    @abstractmethod
    def _decoys(self) -> Sequence[Verifier]:
        """Return what is asked in place of the verifiers of an account that there is not."""

    @abstractmethod
    def _check_slowly(
        self, account: Account | None, username: str, password: str, may_check: Callable[[bytes], bool]
    ) -> Account:
        """Return the account where a slow check finds the pair right, else raise as :meth:`authenticate` does."""
