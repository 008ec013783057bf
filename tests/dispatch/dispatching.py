"""What the tests of dispatch share: messages, a dispatcher at work, what came of it, and a handler that hangs."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text

from soap_handler.dispatch.claim_loop import POLL_SECONDS
from soap_handler.dispatch.destination import of_handlers
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.dispatch.handlers import Handlers
from soap_handler.journal import Entry, Journal, Record, Selection, State
from soap_handler.notifications import MessageReceived, Notification
from soap_handler.settings import HandlerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from soap_handler.dispatch.admission import Admission


ACCOUNT = "EX0000001"


def message(number: int, account: str = ACCOUNT) -> MessageReceived:
    return MessageReceived(account=account, id=str(uuid.UUID(int=number + 1)), body=str(number))


def entry(number: int, account: str = ACCOUNT) -> Entry:
    return Entry(message(number, account), datetime.now(UTC))


def settings(**values: Any) -> HandlerSettings:
    return HandlerSettings(**{"threads": 2, "timeout": 30, "backoff": 0.01, "backoff_cap": 0.02, **values})


@contextmanager
def dispatching(
    journal: Journal,
    handler: Callable[[Notification], None] | Handlers,
    *,
    admission: Admission | None = None,
    poll_seconds: float = POLL_SECONDS,
    **values: Any,
) -> Iterator[Dispatcher]:
    """Run a dispatcher; the account that has an inbox is ``ACCOUNT``."""
    handlers = handler if isinstance(handler, Handlers) else Handlers()
    if not isinstance(handler, Handlers):
        handlers.all_kinds(handler)
    dispatcher = Dispatcher(
        journal,
        of_handlers(handlers, settings(**values)),
        {ACCOUNT}.__contains__,
        admission=admission,
        poll_seconds=poll_seconds,
    )
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop(10)


def record_of(journal: Journal, number: int) -> Record:
    (record,) = journal.records(Selection(key=message(number).key))
    return record


def outcomes(journal: Journal, number: int) -> list[str]:
    return [one.outcome for one in journal.history(record_of(journal, number).seq)]


def in_state(journal: Journal, state: State) -> int:
    return len(journal.records(Selection(state=state)))


def events(log: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [line for line in log if line["event"] == name]


def execute(url: str, statement: str) -> None:
    other = create_engine(url)
    with other.begin() as connection:
        connection.execute(text(statement))
    other.dispose()


class Hanging:
    """A handler that hangs over some bodies until it is let go."""

    def __init__(self, *bodies: str) -> None:
        self.go_on = threading.Event()
        self._bodies = bodies
        self.called = Counter[str]()

    def __call__(self, notification: Notification) -> None:
        assert isinstance(notification, MessageReceived)
        self.called[notification.body] += 1
        if notification.body in self._bodies and self.called[notification.body] == 1:
            assert self.go_on.wait(30)
