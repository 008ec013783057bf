"""Equal work: every refusal of credentials costs the same, so that how long it took tells an attacker nothing.

It makes the verifiers, pads those of each account with decoys, and asks the slow ones. Does not know the accounts.
"""

from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING

from soap_handler.accounts.authentication import DigestVerifier, digest_of, quick_check
from soap_handler.accounts.passwords import PasswordHash, is_hash
from soap_handler.accounts.slow_checks import SlowChecks
from soap_handler.accounts.verifiers import HashVerifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from soap_handler.accounts.authentication import Verifier
    from soap_handler.accounts.verifiers import Costs
    from soap_handler.settings import PushCredentials, PushToken


class EqualWork:
    """Checks pairs so that every refusal takes the same work, whichever account it is for, or none.

    Each account gets as many verifiers of a kind, and of each cost of a hash, as the one with most, filled up with
    decoys that no pair matches.
    """

    def __init__(self, accounts: Sequence[Sequence[Verifier]]) -> None:
        """``accounts`` holds the verifiers of each account."""
        digests = max((sum(isinstance(one, DigestVerifier) for one in own) for own in accounts), default=0)
        self._hashes: Counter[Costs] = Counter()
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


def verifiers_of(pairs: Iterable[PushCredentials | PushToken], before: Mapping[str, Verifier]) -> dict[str, Verifier]:
    """Return a verifier for each pair, by the pair's identity; those that exist already are kept."""
    return {identity: before.get(identity) or _verifier_of(pair) for pair in pairs for identity in [identity_of(pair)]}


def identity_of(pair: PushCredentials | PushToken) -> str:
    """Return a text that tells pairs apart, from which none can be recovered."""
    return (digest_of(pair.username) + digest_of(pair.password.get_secret_value())).hex()


def _verifier_of(pair: PushCredentials | PushToken) -> Verifier:
    text = pair.password.get_secret_value()
    if is_hash(text):
        return HashVerifier(pair.username, PasswordHash.parse(text))
    return DigestVerifier(pair.username, text)


def _costs(verifiers: Sequence[Verifier]) -> Counter[Costs]:
    return Counter(verifier.costs for verifier in verifiers if isinstance(verifier, HashVerifier))


def _decoy_hash(costs: Costs) -> PasswordHash:
    """Return a hash of a password that does not exist."""
    return PasswordHash(*costs, secrets.token_bytes(16), secrets.token_bytes(32))
