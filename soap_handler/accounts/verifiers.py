"""Verifiers of credentials: one for each user name and password in the settings, all costing the same work.

First the quick check (digest). Only if it fails, the slow check (scrypt), and only if the throttle allows it.

Every check compares in constant time, and every refusal takes the same work: an attacker learns nothing from how long
the answer took. Does not know which account they belong to: see accounts.py.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from soap_handler.accounts.passwords import PasswordHash, is_hash
from soap_handler.accounts.slow_checks import SlowChecks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from soap_handler.settings import PushCredentials, PushToken

_Costs: TypeAlias = tuple[int, int, int]  # of an scrypt: ln, r, p


class DigestVerifier:
    """Verifies against SHA-256 digests of the pair: of one length, so comparing them tells nothing about the text."""

    __slots__ = ("_password", "_username")

    def __init__(self, username: str, password: str) -> None:
        self._username = _digest(username)
        self._password = _digest(password)

    def quick_check(self, username: str, password: str) -> bool:
        """Whether this is the pair."""
        same_user = hmac.compare_digest(self._username, _digest(username))
        same_password = hmac.compare_digest(self._password, _digest(password))
        return same_user & same_password  # not "and": both are always compared


class HashVerifier:
    """Verifies against an scrypt hash: by the slow check until it found the right pair, then by the quick check.

    The digest for the quick check is keyed with a random key of this process, so that no password is kept.
    """

    __slots__ = ("_digest_found", "_hash", "_key", "_username", "costs")

    def __init__(self, username: str, hashed: PasswordHash) -> None:
        self._username = _digest(username)
        self._hash = hashed
        self.costs: _Costs = (hashed.ln, hashed.r, hashed.p)
        """What a slow check costs."""
        self._key = secrets.token_bytes()
        self._digest_found = secrets.token_bytes(32)  # matches no pair

    def quick_check(self, username: str, password: str) -> bool:
        """Whether the slow check found this pair right before."""
        return hmac.compare_digest(self._digest_found, self._keyed(username, password))

    def slow_check(self, username: str, password: str) -> bool:
        """Whether this pair is right. It costs an scrypt in either case."""
        same_user = hmac.compare_digest(self._username, _digest(username))
        right = same_user & self._hash.verify(password)
        if right:
            self._digest_found = self._keyed(username, password)
        return right

    def _keyed(self, username: str, password: str) -> bytes:
        return hmac.digest(self._key, _digest(username) + _digest(password), "sha256")


Verifier: TypeAlias = DigestVerifier | HashVerifier


class EqualWork:
    """Checks pairs so that every refusal takes the same work, whichever account it is for, or none.

    Each account gets as many verifiers of a kind, and of each cost of a hash, as the one with most, filled up with
    decoys that no pair matches.
    """

    def __init__(self, accounts: Sequence[Sequence[Verifier]]) -> None:
        """``accounts`` holds the verifiers of each account."""
        digests = max((sum(isinstance(one, DigestVerifier) for one in own) for own in accounts), default=0)
        self._hashes: Counter[_Costs] = Counter()
        for own in accounts:
            self._hashes |= _costs(own)
        self._digests = digests or not self._hashes
        self._checks = SlowChecks()
        self.decoys = self.padded([])
        """To be asked for a caller without an account: none of them matches."""

    @property
    def slow(self) -> bool:
        """Whether any of the verifiers has a slow check."""
        return bool(self._hashes)

    def padded(self, own: Sequence[Verifier]) -> tuple[Verifier, ...]:
        """Return an account's verifiers with as many decoys as make the work equal."""
        digests = self._digests - sum(isinstance(one, DigestVerifier) for one in own)
        hashes = (self._hashes - _costs(own)).elements()
        decoys = [DigestVerifier(secrets.token_hex(), secrets.token_hex()) for _ in range(digests)]
        return (*own, *decoys, *(HashVerifier(secrets.token_hex(), _decoy_hash(costs)) for costs in hashes))

    def slow_check(
        self, account: str, verifiers: Sequence[Verifier], pair: tuple[str, str], may_check: Callable[[bytes], bool]
    ) -> tuple[bool, bool]:
        """Return whether the slow check finds a pair of user name and password right, and whether a hash was computed.

        ``may_check`` is given what tells this pair from others. ``account`` is empty where the caller has none.

        Raises:
            CredentialsUncheckedError: it may not be made, or not now.
        """
        hashed = [verifier for verifier in verifiers if isinstance(verifier, HashVerifier)]
        if not hashed:
            return False, False
        computed = False

        def compute() -> bool:
            nonlocal computed
            if quick_check(verifiers, *pair):  # an equal one was found right meanwhile
                return True
            computed = True
            return any([verifier.slow_check(*pair) for verifier in hashed])  # noqa: C419 - all are asked

        return self._checks.check(self._checks.identity(account, *pair), may_check, compute), computed


def _costs(verifiers: Sequence[Verifier]) -> Counter[_Costs]:
    return Counter(verifier.costs for verifier in verifiers if isinstance(verifier, HashVerifier))


def quick_check(verifiers: Sequence[Verifier], username: str, password: str) -> bool:
    """Whether the quick check of one of the verifiers finds the pair right. All are asked, whatever the first says."""
    return any([verifier.quick_check(username, password) for verifier in verifiers])  # noqa: C419 - all are asked


def verifiers_of(pairs: Iterable[PushCredentials | PushToken], before: Mapping[str, Verifier]) -> dict[str, Verifier]:
    """Return a verifier for each pair, by the pair's identity; those that exist already are kept."""
    return {identity: before.get(identity) or _verifier_of(pair) for pair in pairs for identity in [identity_of(pair)]}


def identity_of(pair: PushCredentials | PushToken) -> str:
    """Return a text that tells pairs apart, from which none can be recovered."""
    return (_digest(pair.username) + _digest(pair.password.get_secret_value())).hex()


def _verifier_of(pair: PushCredentials | PushToken) -> Verifier:
    text = pair.password.get_secret_value()
    if is_hash(text):
        return HashVerifier(pair.username, PasswordHash.parse(text))
    return DigestVerifier(pair.username, text)


def _digest(text: str) -> bytes:
    # surrogatepass: a tolerant reader may hand on half an emoji, which must be refused and not crash
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _decoy_hash(costs: _Costs) -> PasswordHash:
    """Return a hash of a password that does not exist."""
    return PasswordHash(*costs, secrets.token_bytes(16), secrets.token_bytes(32))
