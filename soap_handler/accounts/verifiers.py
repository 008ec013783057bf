"""Verifiers of passwords of which only a hash is known. Those of plain passwords are in ``authentication.py``.

First the quick check (digest). Only if it fails, the slow check (scrypt), and only if the throttle allows it. Every
check compares in constant time. ``equal_work.py`` makes and asks them.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING, TypeAlias

from soap_handler.accounts.authentication import Verifier, digest_of

if TYPE_CHECKING:
    from soap_handler.accounts.passwords import PasswordHash

Costs: TypeAlias = tuple[int, int, int]
"""What an scrypt costs: ln, r, p."""


class HashVerifier(Verifier):
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
