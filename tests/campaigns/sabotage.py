"""Ways to break the service on purpose. A campaign that does not notice them would prove nothing."""

from __future__ import annotations

import itertools
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from soap_handler.journal import Journal
from soap_handler.journal.databases import sqlite, sqlite_transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.journal import Entry
    from soap_handler.notifications import Notification

T = TypeVar("T")

EVERY = 5  # of so many notifications one batch is thrown away


def sabotage(what: str) -> None:
    """Break the service in the process that calls this."""
    {"no-commit": _answer_without_committing, "no-fsync": _commit_without_fsync, "twice": _handle_twice}[what]()


def _answer_without_committing() -> None:
    submit, submit_all = Journal.submit, Journal.submit_all
    numbers = itertools.count(1)

    def is_dropped() -> bool:
        return not next(numbers) % EVERY

    def submit_most(journal: Journal, entry: Entry) -> Future[bool]:
        return _answered(True) if is_dropped() else submit(journal, entry)  # noqa: FBT003 - an answer

    def submit_most_of_all(journal: Journal, entries: Sequence[Entry]) -> Future[list[bool]]:
        return _answered([True] * len(entries)) if is_dropped() else submit_all(journal, entries)

    setattr(Journal, "submit", submit_most)  # noqa: B010 - the two ways by which anything is recorded
    setattr(Journal, "submit_all", submit_most_of_all)  # noqa: B010 - the other one


def _answered(answer: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(answer)
    return future


def _commit_without_fsync() -> None:
    """Turn the fsync off before each transaction: the journal was opened before this module was loaded."""
    poll = sqlite_transaction.poll_for_lock

    def unsafe(driver: Any, *arguments: Any) -> bool:
        if not driver.in_transaction:
            driver.execute("PRAGMA synchronous = OFF")
        return poll(driver, *arguments)

    for module in (sqlite, sqlite_transaction):
        vars(module).update(poll_for_lock=unsafe)


def _handle_twice() -> None:
    from tests.campaigns import handler  # noqa: PLC0415 - it imports this module

    once = handler.handle

    def twice(notification: Notification) -> None:
        once(notification)
        once(notification)

    handler.handle = twice
