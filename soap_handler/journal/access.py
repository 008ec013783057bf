"""What the verbs of a journal stand on: its committer, its clocks, and the ways to wait for a commit and to read.

``journal.py`` has it all; the verbs are in files by their use.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from soap_handler.journal.announcer import Announcer
    from soap_handler.journal.group_commit import Committer
    from soap_handler.journal.records import Entry

T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")


class Access(ABC):
    """The access to one journal, for its verbs."""

    committer: Committer
    """The seam through which this journal writes."""
    _engine: Engine
    _announcer: Announcer
    _timeout: float
    _instance: str
    """Tells this journal's leases from those of other processes."""
    _leases: Iterator[int]

    @abstractmethod
    def now(self) -> datetime:
        """Return the present instant for people: by the wall clock, or by that of the database that hosts share."""

    @abstractmethod
    def queue_now(self) -> datetime:
        """Return the present instant by the clock of due times and leases, which no step of the wall clock moves."""

    @abstractmethod
    def submit_all(self, entries: Sequence[Entry]) -> Future[list[bool]]:
        """Queue entries for the next commit, all in one; each result is true when the entry was new."""

    @abstractmethod
    def record(self, entry: Entry) -> bool:
        """Commit an entry; return whether it was new."""

    @abstractmethod
    def wait(self, commit: Future[T]) -> T:
        """Wait for the commit that a future stands for, no longer than the journal's timeout."""

    @abstractmethod
    def read(self, query: Callable[[Connection], T], silence: float | None = None) -> T:
        """Carry out a query; ``silence`` is how long (seconds) the server may say nothing, where that is known."""


class SubjectVerbs:
    """Verbs of one subject, which a journal offers by an attribute such as ``Journal.gates``.

    Their errors are those of the journal's own verbs.
    """

    def __init__(self, journal: Access) -> None:
        self._journal = journal

    def _write(self, verb: Callable[[Connection, Sequence[A]], Sequence[R]], argument: A) -> R:
        """Carry out a verb in the next transaction, and wait for its commit."""
        return self._journal.wait(self._journal.committer.submit(verb, argument))
