"""Which account a push is for, under either of its names, and whether the caller may speak for it.

Who called from where, and what is logged about it, is not known here.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from soap_handler.accounts.passwords import PasswordHash, is_hash
from soap_handler.errors import AuthenticationError
from soap_handler.settings import name_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from soap_handler.settings import AccountSettings, InboxSettings, PushCredentials

_AT_ONCE: Final = 2  # costly checks, so that threads are left for those who need none


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller presents: the ``MessengerHeader`` of SOAP, or its counterpart elsewhere (contract, section 1)."""

    username: str
    password: str = field(repr=False)
    account: str


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


class _Hashed:
    """Verifies against a password's hash: slowly, until the right pair was there, and from then on as fast as others.

    It remembers a digest of that pair, made with a key of this process alone, so that no password is kept.
    """

    __slots__ = ("_hash", "_key", "_proven", "_username")

    def __init__(self, username: str, hashed: PasswordHash) -> None:
        self._username = _digest(username)
        self._hash = hashed
        self._key = secrets.token_bytes()
        self._proven = secrets.token_bytes(32)  # nobody's digest

    def matches(self, username: str, password: str) -> bool:
        """Whether this pair was proved before."""
        return hmac.compare_digest(self._proven, self._keyed(username, password))

    def proves(self, username: str, password: str) -> bool:
        """Whether this pair is right, which costs an scrypt whatever the answer."""
        same_user = hmac.compare_digest(self._username, _digest(username))
        right = same_user & self._hash.verify(password)
        if right:
            self._proven = self._keyed(username, password)
        return right

    def _keyed(self, username: str, password: str) -> bytes:
        return hmac.digest(self._key, _digest(username) + _digest(password), "sha256")


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
    verifiers: tuple[_Digests | _Hashed, ...] = field(repr=False, compare=False)


class Accounts:
    """The configured accounts.

    User names and passwords are compared exactly; account names without outer white space and letter case. Every
    refusal takes the same work: each account has as many verifiers of a kind as the one with most, filled up with
    pairs that nobody can know, all of them are asked whatever the first says, and a caller without an account or
    without credentials is checked against such pairs alone.

    A password of which only a hash is known is costly to check, but only until it was right for the first time.
    """

    def __init__(self, settings: Iterable[AccountSettings], before: Accounts | None = None) -> None:
        """``before`` are the accounts that these replace: what was counted and proved with them stays so."""
        known = list(settings)
        self._verifiers = _verifiers((pair for account in known for pair in account.push), before)
        own = [[self._verifiers[_identity(pair)] for pair in account.push] for account in known]
        plain = max((sum(isinstance(one, _Digests) for one in each) for each in own), default=0)
        hashed = max((sum(isinstance(one, _Hashed) for one in each) for each in own), default=0)
        plain = plain or not hashed
        self._accounts = tuple(
            _account(account, _filled(each, plain, hashed)) for account, each in zip(known, own, strict=True)
        )
        self._by_name = {
            name_key(name): account for account in self._accounts for name in (account.reference, *account.aliases)
        }
        self._nobody = _filled([], plain, hashed)
        self._places = threading.BoundedSemaphore(_AT_ONCE)
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

    def recognise(self, several: Sequence[Credentials]) -> list[Account | None]:
        """Return what :meth:`authenticate` would, where that needs no costly check, else ``None``. Counts nothing.

        Credentials that are there several times, as one object, are checked once.
        """
        answers = {number: self._recognised(each) for number, each in {id(one): one for one in several}.items()}
        return [answers[id(credentials)] for credentials in several]

    def _recognised(self, credentials: Credentials) -> Account | None:
        account = self.get(credentials.account)
        if account is None:
            return None
        answers = [verifier.matches(credentials.username, credentials.password) for verifier in account.verifiers]
        return account if account.anonymous or any(answers) else None

    def authenticate(self, credentials: Credentials | None, may_check: Callable[[], bool] = lambda: True) -> Account:
        """Return the account that the caller may speak for.

        An anonymous account takes any user name and password. ``None`` means that the caller sent no credentials at
        all: that is enough only where there is no choice, with one account which is anonymous.

        ``may_check`` is asked before a costly check. It is not asked about a pair that is known to be right; where it
        says no, what is not known to be right is refused unchecked.

        Raises:
            AuthenticationError: anything else, always in the same words.
        """
        account = self._claimed(credentials)
        verifiers = account.verifiers if account else self._nobody
        username, password = (credentials.username, credentials.password) if credentials else ("", "")
        answers = [verifier.matches(username, password) for verifier in verifiers]
        if account and (any(answers) or account.anonymous or self._proved(verifiers, username, password, may_check)):
            return account
        if not account:
            self._proved(verifiers, username, password, may_check)  # the work of any refusal
        with self._lock:
            self._refused += 1
        raise AuthenticationError

    def _proved(
        self,
        verifiers: tuple[_Digests | _Hashed, ...],
        username: str,
        password: str,
        may_check: Callable[[], bool],
    ) -> bool:
        hashed = [verifier for verifier in verifiers if isinstance(verifier, _Hashed)]
        if not hashed or not may_check() or not self._places.acquire(blocking=False):
            return False
        try:
            return any([verifier.proves(username, password) for verifier in hashed])  # noqa: C419 - all are asked
        finally:
            self._places.release()

    def _claimed(self, credentials: Credentials | None) -> Account | None:
        if credentials is not None:
            return self.get(credentials.account)
        alone = self._accounts[0] if len(self._accounts) == 1 else None
        return alone if alone and alone.anonymous else None


def _account(settings: AccountSettings, verifiers: tuple[_Digests | _Hashed, ...]) -> Account:
    return Account(
        reference=settings.reference,
        aliases=settings.aliases,
        time_zone=ZoneInfo(settings.time_zone),
        anonymous=settings.anonymous,
        inbox=settings.inbox,
        verifiers=verifiers,
    )


def _verifiers(pairs: Iterable[PushCredentials], before: Accounts | None) -> dict[str, _Digests | _Hashed]:
    """Return a verifier for each pair, by the pair's identity; those that exist already are kept."""
    known = before._verifiers if before else {}  # noqa: SLF001 - of the same class
    return {identity: known.get(identity) or _verifier(pair) for pair in pairs for identity in [_identity(pair)]}


def _identity(pair: PushCredentials) -> str:
    """Return what tells pairs apart without being of use to anybody who sees it."""
    return (_digest(pair.username) + _digest(pair.password.get_secret_value())).hex()


def _verifier(pair: PushCredentials) -> _Digests | _Hashed:
    text = pair.password.get_secret_value()
    return _Hashed(pair.username, PasswordHash.parse(text)) if is_hash(text) else _Digests(pair.username, text)


def _filled(own: list[_Digests | _Hashed], plain: int, hashed: int) -> tuple[_Digests | _Hashed, ...]:
    """Return verifiers with as many of each kind as demanded, those that are added matching nobody."""
    plain -= sum(isinstance(one, _Digests) for one in own)
    hashed -= sum(isinstance(one, _Hashed) for one in own)
    strangers = [_Digests(secrets.token_hex(), secrets.token_hex()) for _ in range(plain)]
    return (*own, *strangers, *(_Hashed(secrets.token_hex(), _NOBODYS) for _ in range(hashed)))


def _digest(text: str) -> bytes:
    # surrogatepass: a tolerant reader may hand on half an emoji, which must be refused and not crash
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


_NOBODYS: Final = PasswordHash(14, 8, 1, secrets.token_bytes(16), secrets.token_bytes(32))
"""A hash like those of hash_password, of a password that nobody knows."""
