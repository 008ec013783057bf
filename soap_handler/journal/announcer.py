"""Announcing commits: to this process by calling listeners, to other processes on PostgreSQL by NOTIFY."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler.journal.databases.listen_notify import Listener, notify
from soap_handler.journal.databases.postgresql import is_psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Connection, Engine

    from soap_handler.journal.execute import Verb


class Announcer:
    """Tells after a commit that there may be work. Thread-safe.

    NOTIFY holds up the commits of all, so a process that listens itself sends one for many commits, in the thread of
    its listener. A process that does not (a command) sends it within each transaction.
    """

    def __init__(self, engine: Engine, sender: str, idle: Collection[Verb]) -> None:
        """``sender`` names this process; a transaction of the verbs ``idle`` alone announces nothing."""
        self._engine = engine
        self._can_notify = is_psycopg(engine)
        self.notifies = self._can_notify
        """Whether each transaction has to wake the other processes itself, with :meth:`before_commit`."""
        self._sender = sender
        self._idle = frozenset(idle)
        self._callbacks: list[Callable[[], None]] = []
        self.listener: Listener | None = None
        """The thread that hears other processes, once :meth:`listen` was called on PostgreSQL."""

    def listen(self, callback: Callable[[], None]) -> None:
        """Call this after each commit of this process and, on PostgreSQL, of the others; it must return at once."""
        self._callbacks.append(callback)
        if self.listener is None and self._can_notify:
            self.notifies = False
            self.listener = Listener(self._engine, self._sender, self.call_listeners)
            self.listener.start()

    def before_commit(self, connection: Connection, verbs: Collection[Verb] = ()) -> None:
        """Have this transaction wake the other processes when it commits. Only where :attr:`notifies`."""
        if not self._announces_nothing(verbs):
            notify(connection, self._sender)

    def after_commit(self, verbs: Collection[Verb] = ()) -> None:
        """Announce a commit in which these verbs took part."""
        if self._announces_nothing(verbs):
            return
        if self.listener is not None:
            self.listener.tell()
        self.call_listeners()

    def call_listeners(self) -> None:
        """Call each function that :meth:`listen` was given."""
        for callback in self._callbacks:
            callback()

    def close(self, seconds: float) -> bool:
        """End the listener; return whether it has ended in time."""
        return self.listener is None or self.listener.close(seconds)

    def _announces_nothing(self, verbs: Collection[Verb]) -> bool:
        return bool(verbs) and self._idle.issuperset(verbs)
