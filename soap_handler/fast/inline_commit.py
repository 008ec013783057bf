"""Inline commit: on SQLite the caller's own thread commits a small push, where the lock is free and the disk is quick.

To hand a push to the journal's thread and be called back costs more than a quick commit. The price: the caller, which
is the I/O loop, does nothing else during the fsync, so on a slow disk the thread commits.

Without it: 0.81 of the rate with 8 connections, 0.74 from push to delete with 32.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from soap_handler.journal.databases.sqlite import try_begin_immediate
from soap_handler.journal.group_commit import GroupCommit, Request
from soap_handler.journal.insert import record_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from sqlalchemy import Connection, Engine

    from soap_handler.journal.announcer import Announcer
    from soap_handler.journal.execute import Verb

A = TypeVar("A")
R = TypeVar("R")

ENTRIES_INLINE: Final = 64
"""Entries that may be committed inline: a transaction of some milliseconds, even on a slow machine."""
QUICK_SECONDS: Final = 0.005
"""A mean transaction that takes longer is left to the thread, which has nothing else to do."""
_AVERAGED_TRANSACTIONS: Final = 8


class InlineCommit(GroupCommit):
    """Group commit whose connection a caller may use too, in between the thread's transactions."""

    def __init__(self, engine: Engine, announcer: Announcer, last: Verb) -> None:
        """Start the thread, as :class:`GroupCommit` does."""
        self._writing = threading.RLock()  # held while the connection is used
        self._mean_seconds = 0.0  # of a transaction, as a moving average
        super().__init__(engine, announcer, last)

    @property
    def commits_inline(self) -> bool:
        """Whether transactions are quick enough at present, and the thread has connected."""
        return self.connection is not None and self._mean_seconds <= QUICK_SECONDS

    def submit(self, verb: Callable[[Connection, Sequence[A]], Sequence[R]], argument: A) -> Future[R]:
        """Commit a small push at once if nothing has to be waited for but the disk; else queue the request."""
        request = Request(verb, argument)
        if not (self.commits_inline and _is_small_push(verb, argument) and self._commit_inline(request)):
            self.enqueue(request)
        return request.future

    def _commit_inline(self, request: Request) -> bool:
        if not self._writing.acquire(blocking=False):
            return False
        try:
            if self.is_closed or self.connection is None or not try_begin_immediate(self.connection):
                return False
            self.carry_out([request])  # no caller has its future yet, so none can have given it up
        finally:
            self._writing.release()
        return True

    def commit(self, batch: Sequence[Request]) -> None:
        """Commit a batch while no other thread uses the connection, and note how long it took."""
        with self._writing:
            begun = time.monotonic()
            try:
                super().commit(batch)
            except Exception:
                self.disconnect()  # before another thread uses it
                raise
            self._mean_seconds += (time.monotonic() - begun - self._mean_seconds) / _AVERAGED_TRANSACTIONS

    def disconnect(self) -> None:
        """Drop the connection while no other thread uses it."""
        with self._writing:
            super().disconnect()


def _is_small_push(verb: object, argument: Any) -> bool:  # noqa: ANN401 - of the verb's type
    return verb is record_all and len(argument) <= ENTRIES_INLINE
