"""Ways to break the service on purpose. A campaign that does not notice them would prove nothing."""

from __future__ import annotations

import itertools
from concurrent.futures import Future
from typing import TYPE_CHECKING

from soap_handler.journal import Journal, engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.journal import Entry
    from soap_handler.notifications import Notification

EVERY = 5  # of so many notifications one batch is thrown away


def sabotage(what: str) -> None:
    """Break the service in the process that calls this."""
    {"no-commit": _answer_without_committing, "no-fsync": _commit_without_fsync, "twice": _handle_twice}[what]()


def _answer_without_committing() -> None:
    commit = Journal.submit_all
    numbers = itertools.count(1)

    def submit_all(self: Journal, entries: Sequence[Entry]) -> Future[list[bool]]:
        if next(numbers) % EVERY:
            return commit(self, entries)
        answer: Future[list[bool]] = Future()
        answer.set_result([True] * len(entries))
        return answer

    Journal.submit_all = submit_all  # type: ignore[method-assign] # that is the sabotage


def _commit_without_fsync() -> None:
    pragmas: tuple[str, ...] = engine._PRAGMAS
    setattr(engine, "_PRAGMAS", (*pragmas, "synchronous = OFF"))  # noqa: B010 - the type is that of one length


def _handle_twice() -> None:
    from . import handler  # noqa: PLC0415 - it imports this module

    once = handler.handle

    def twice(notification: Notification) -> None:
        once(notification)
        once(notification)

    handler.handle = twice
