"""Ways to break the service on purpose. A campaign that does not notice them would prove nothing."""

from __future__ import annotations

import itertools
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from soap_handler.journal import engine, verbs
from soap_handler.journal.group_commit import Writer

if TYPE_CHECKING:
    from soap_handler.notifications import Notification

EVERY = 5  # of so many notifications one batch is thrown away


def sabotage(what: str) -> None:
    """Break the service in the process that calls this."""
    {"no-commit": _answer_without_committing, "no-fsync": _commit_without_fsync, "twice": _handle_twice}[what]()


def _answer_without_committing() -> None:
    submit = Writer.submit
    numbers = itertools.count(1)

    def submit_most(writer: Writer, verb: Any, argument: Any) -> Future[Any]:
        if verb not in {verbs.record, verbs.record_all} or next(numbers) % EVERY:
            return submit(writer, verb, argument)
        answer: Future[Any] = Future()
        answer.set_result([True] * len(argument) if verb is verbs.record_all else True)
        return answer

    setattr(Writer, "submit", submit_most)  # noqa: B010 - the one way by which anything is written


def _commit_without_fsync() -> None:
    pragmas: tuple[str, ...] = engine._PRAGMAS
    setattr(engine, "_PRAGMAS", (*pragmas, "synchronous = OFF"))  # noqa: B010 - the type is that of one length


def _handle_twice() -> None:
    from tests.campaigns import handler  # noqa: PLC0415 - it imports this module

    once = handler.handle

    def twice(notification: Notification) -> None:
        once(notification)
        once(notification)

    handler.handle = twice
