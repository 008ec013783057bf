"""Which account a push is for, under either of its names, and whether the caller may speak for it.

Who called from where, and what is logged about it, is not known here.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from soap_handler.errors import AuthenticationError
from soap_handler.settings import name_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from soap_handler.settings import AccountSettings, InboxSettings


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller presents: the ``MessengerHeader`` of SOAP, or its counterpart elsewhere (contract, section 1)."""

    username: str
    password: str = field(repr=False)
    account: str


class _Verifier(Protocol):
    """Knows whether a user name and password are the right ones, in a time that does not depend on the answer."""

    def matches(self, username: str, password: str) -> bool: ...


class _Digests:
    """Verifies against digests of the pair. Digests have one length, so comparing them tells nothing about the text."""

    __slots__ = ("_password", "_username")

    def __init__(self, username: str, password: str) -> None:
        self._username = _digest(username)
        self._password = _digest(password)

    def matches(self, username: str, password: str) -> bool:
        same_user = hmac.compare_digest(self._username, _digest(username))
        same_password = hmac.compare_digest(self._password, _digest(password))
        return same_user & same_password  # not "and": both are always compared


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
    verifiers: tuple[_Verifier, ...] = field(repr=False, compare=False)


class Accounts:
    """The configured accounts.

    User names and passwords are compared exactly; account names without outer white space and letter case. Every
    refusal takes the same work: each account has as many verifiers as the one with most, filled up with pairs that
    nobody can know, all of them are asked whatever the first says, and a caller without an account or without
    credentials is checked against such pairs alone.
    """

    def __init__(self, settings: Iterable[AccountSettings]) -> None:
        known = list(settings)
        pairs = max((len(account.push) for account in known), default=0) or 1
        self._accounts = tuple(_account(account, pairs) for account in known)
        self._by_name = {
            name_key(name): account for account in self._accounts for name in (account.reference, *account.aliases)
        }
        self._nobody = _strangers(pairs)
        self._refused = 0
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

    def authenticate(self, credentials: Credentials | None) -> Account:
        """Return the account that the caller may speak for.

        An anonymous account takes any user name and password. ``None`` means that the caller sent no credentials at
        all: that is enough only where there is no choice, with one account which is anonymous.

        Raises:
            AuthenticationError: anything else, always in the same words.
        """
        account = self._claimed(credentials)
        verifiers = account.verifiers if account else self._nobody
        username, password = (credentials.username, credentials.password) if credentials else ("", "")
        answers = [verifier.matches(username, password) for verifier in verifiers]
        if account and (any(answers) or account.anonymous):
            return account
        with self._lock:
            self._refused += 1
        raise AuthenticationError

    def _claimed(self, credentials: Credentials | None) -> Account | None:
        if credentials is not None:
            return self.get(credentials.account)
        alone = self._accounts[0] if len(self._accounts) == 1 else None
        return alone if alone and alone.anonymous else None


def _account(settings: AccountSettings, pairs: int) -> Account:
    own = tuple(_Digests(pair.username, pair.password.get_secret_value()) for pair in settings.push)
    return Account(
        reference=settings.reference,
        aliases=settings.aliases,
        time_zone=ZoneInfo(settings.time_zone),
        anonymous=settings.anonymous,
        inbox=settings.inbox,
        verifiers=own + _strangers(pairs - len(own)),
    )


def _strangers(count: int) -> tuple[_Digests, ...]:
    """Return verifiers that match nobody."""
    return tuple(_Digests(secrets.token_hex(), secrets.token_hex()) for _ in range(count))


def _digest(text: str) -> bytes:
    # surrogatepass: a tolerant reader may hand on half an emoji, which must be refused and not crash
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
