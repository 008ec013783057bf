"""Verifiers of credentials: one for each user name and password in the settings; ``equal_work.py`` makes and asks them.

First the quick check (digest). Only if it fails, the slow check (scrypt), and only if the throttle allows it. Every
check compares in constant time. Does not know which account they belong to: see accounts.py.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.accounts.passwords import PasswordHash

Costs: TypeAlias = tuple[int, int, int]
"""What an scrypt costs: ln, r, p."""


class DigestVerifier:
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


class HashVerifier:
    """Verifies against an scrypt hash: by the slow check until it found the right pair, then by the quick check.

    The digest for the quick check is keyed with a random key of this process, so that no password is kept.
    """

    __slots__ = ("_digest_found", "_hash", "_key", "_username", "costs")

    def __init__(self, username: str, hashed: PasswordHash) -> None:
        self._username = digest_of(username)
        self._hash = hashed
        self.costs: Costs = (hashed.ln, hashed.r, hashed.p)
        """What a slow check costs."""
        self._key = secrets.token_bytes()
        self._digest_found = secrets.token_bytes(32)  # matches no pair

    def quick_check(self, username: str, password: str) -> bool:
        """Whether the slow check found this pair right before."""
        return hmac.compare_digest(self._digest_found, self._keyed(username, password))

    def slow_check(self, username: str, password: str) -> bool:
        """Whether this pair is right. It costs an scrypt in either case."""
        same_user = hmac.compare_digest(self._username, digest_of(username))
        right = same_user & self._hash.verify(password)
        if right:
            self._digest_found = self._keyed(username, password)
        return right

    def _keyed(self, username: str, password: str) -> bytes:
        return hmac.digest(self._key, digest_of(username) + digest_of(password), "sha256")


Verifier: TypeAlias = DigestVerifier | HashVerifier


def quick_check(verifiers: Sequence[Verifier], username: str, password: str) -> bool:
    """Whether the quick check of one of the verifiers finds the pair right. All are asked, whatever the first says."""
    return any([verifier.quick_check(username, password) for verifier in verifiers])  # noqa: C419 - all are asked


def digest_of(text: str) -> bytes:
    """Return the digest by which a user name or a password is compared."""
    # surrogatepass: a tolerant reader may hand on half an emoji, which must be refused and not crash
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
