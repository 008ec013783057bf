"""Slow checks of credentials: one hash computation for equal pairs, few at once, none twice for a wrong pair.

A check that cannot be made now says so; it is never taken for a wrong password. Does not know whose pair it checks.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import OrderedDict
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from soap_handler.errors import CredentialsUncheckedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_AT_ONCE: Final = 2  # so that threads are left for callers whose credentials need no slow check
_QUEUED: Final = 8  # pairs that wait for their turn
_QUEUE_SECONDS: Final = 2.0  # that a pair waits for its turn
_JOIN_SECONDS: Final = 10.0  # that an equal pair waits for the result: its turn, and a hash at the highest cost
_WRONG_KEPT: Final = 4096  # pairs; about half a megabyte


class SlowChecks:
    """Makes slow checks for one set of accounts. Thread-safe.

    Pairs are told apart by digests that are keyed with a random key of this object, so that no password is kept.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes()
        self._running: dict[bytes, Future[bool]] = {}
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self.queued = 0
        """How many pairs wait for their turn."""
        self._lock = threading.Lock()

    def identity(self, account: str, username: str, password: str) -> bytes:
        """Return what tells a pair for an account from all others."""
        text = b"".join(hmac.digest(self._key, _bytes(part), "sha256") for part in (account, username, password))
        return hmac.digest(self._key, text, "sha256")

    def check(self, pair: bytes, may_check: Callable[[bytes], bool], compute: Callable[[], bool]) -> bool:
        """Whether a pair is right: known to be wrong, found out beside an equal one, or computed now.

        Raises:
            CredentialsUncheckedError: ``may_check`` forbids it, or too many other pairs are being checked.
        """
        with self._lock:
            if pair in self._wrong:
                self._wrong.move_to_end(pair)
                return False
            other = self._running.get(pair)
            if other is None:
                if not may_check(pair):
                    raise CredentialsUncheckedError(delayed=True)
                own = self._running[pair] = Future()
        return self._join(other) if other is not None else self._carry_out(pair, own, compute)

    def _join(self, other: Future[bool]) -> bool:
        try:
            return other.result(_JOIN_SECONDS)
        except FutureTimeoutError:
            raise CredentialsUncheckedError from None

    def _carry_out(self, pair: bytes, own: Future[bool], compute: Callable[[], bool]) -> bool:
        try:
            with self._turn():
                right = compute()
        except BaseException as error:
            self._end(pair)
            own.set_exception(error if isinstance(error, CredentialsUncheckedError) else CredentialsUncheckedError())
            raise
        self._end(pair, wrong=not right)
        own.set_result(right)
        return right

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for a turn in the queue.

        Raises:
            CredentialsUncheckedError: the queue is full, or too slow.
        """
        if not self._slots.acquire(blocking=False):
            self._wait_for_slot()
        try:
            yield
        finally:
            self._slots.release()

    def _wait_for_slot(self) -> None:
        with self._lock:
            if self.queued >= _QUEUED:
                raise CredentialsUncheckedError
            self.queued += 1
        try:
            if not self._slots.acquire(timeout=_QUEUE_SECONDS):
                raise CredentialsUncheckedError
        finally:
            with self._lock:
                self.queued -= 1

    def _end(self, pair: bytes, *, wrong: bool = False) -> None:
        with self._lock:
            del self._running[pair]
            if wrong:
                self._wrong[pair] = None
                while len(self._wrong) > _WRONG_KEPT:
                    self._wrong.popitem(last=False)


def _bytes(text: str) -> bytes:
    # surrogatepass: a tolerant reader may hand on half an emoji, which must be refused and not crash
    return text.encode("utf-8", "surrogatepass")
