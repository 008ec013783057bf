"""Logins: a name and a password against the hashes of the settings, slowed as the logins of pushes are.

An unknown name costs the same work as a known one. Beyond the budget of an address a password is checked once a second,
and only one that comes again; the answer is at once, since a thread that held it back would be missed by others.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from soap_handler.accounts.authentication import quick_check
from soap_handler.accounts.equal_work import EqualWork
from soap_handler.accounts.passwords import PasswordHash
from soap_handler.accounts.throttle import client_network
from soap_handler.accounts.verifiers import HashVerifier
from soap_handler.errors import CredentialsUncheckedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.accounts.throttle import Throttle
    from soap_handler.settings import ConsoleUser

_ALL_NAMES: Final = 4
"""Budgets of one address for all names together."""


class LoginRefused(Exception):  # noqa: N818 - an answer, not a defect
    """The name or the password is wrong. ``wait`` is in how many seconds another try makes sense; 0 at once."""

    def __init__(self, wait: int = 0) -> None:
        super().__init__("the name or the password is wrong")
        self.wait = wait


class Logins:
    """The users of one console. Thread-safe."""

    def __init__(self, users: Sequence[ConsoleUser], throttle: Throttle) -> None:
        """Take the throttle of the users before, after a reload: it forgives no guesses."""
        own = {
            each.name: (HashVerifier(each.name, PasswordHash.parse(each.password.get_secret_value())),)
            for each in users
        }
        self._work = EqualWork(list(own.values()))
        self._verifiers = {name: self._work.padded(verifiers) for name, verifiers in own.items()}
        self._throttle = throttle

    def check(self, name: str, password: str, caller: str) -> None:
        """Return where this is the password of this user.

        Raises:
            LoginRefused: it is not, or too many wrong ones came from this address for it to be checked now.
        """
        verifiers = self._verifiers.get(name, self._work.decoys)
        right = quick_check(verifiers, name, password)
        if right and name in self._verifiers:
            return
        network = client_network(caller)
        keys = ((network, "name", hash(name)), 1), ((network, "all", 0), _ALL_NAMES)

        def may_check(pair: bytes) -> bool:
            return all([self._throttle.may_check(key, pair, times) for key, times in keys])  # noqa: C419 - all count

        try:
            right, _ = self._work.slow_check(name, verifiers, (name, password), may_check)
        except CredentialsUncheckedError:
            raise LoginRefused(1) from None
        if not right or name not in self._verifiers:
            delays = [self._throttle.failed(key, times) for key, times in keys]
            raise LoginRefused(math.ceil(max(delay or 0.0 for delay in delays)))
