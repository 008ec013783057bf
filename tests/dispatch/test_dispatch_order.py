"""The order of one originator as a handler sees it: real threads, a real journal, handlers that fail or are slow."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter, defaultdict
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from soap_handler.dispatch.destination import of_handlers
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.dispatch.handlers import Handlers
from soap_handler.journal import Entry, Journal, Selection, State
from soap_handler.notifications import MessageReceived, Notification
from soap_handler.settings import HandlerSettings
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ANN, BOB = "447700900001", "447700900002"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as opened:
        yield opened


def store(journal: Journal, number: int, originator: str = ANN) -> None:
    told = MessageReceived(
        account="EX0000001", id=str(uuid.UUID(int=number + 1)), originator=originator, body=str(number)
    )
    assert journal.record(Entry(told, datetime.now(UTC)))


@contextmanager
def dispatching(
    journal: Journal, handler: Callable[[MessageReceived], None], *, in_order: bool = True, backoff: float = 0.01
) -> Iterator[None]:
    def handle(notification: Notification) -> None:
        assert isinstance(notification, MessageReceived)
        handler(notification)

    handlers = Handlers()
    handlers.all_kinds(handle)
    settings = HandlerSettings(threads=4, timeout=30, backoff=backoff, backoff_cap=backoff, max_attempts=3)
    dispatcher = Dispatcher(journal, of_handlers(handlers, settings), lambda _: False, in_order=in_order)
    dispatcher.start()
    try:
        yield
    finally:
        dispatcher.stop(10)


def waiting(journal: Journal) -> int:
    return len(journal.records(Selection(state=State.RECEIVED)))


def test_one_originator_is_handled_in_order_while_others_go_on_beside_it(journal: Journal) -> None:
    """Never two at once of one, and each in the order of coming, although the first try of some fails."""
    running, most, handled = Counter[str](), Counter[str](), defaultdict[str, list[int]](list)
    tried = Counter[str]()
    lock = threading.Lock()

    def handle(message: MessageReceived) -> None:
        with lock:
            running[message.originator] += 1
            most[message.originator] = max(most[message.originator], running[message.originator])
            tried[message.body] += 1
            fails = tried[message.body] == 1 and int(message.body) % 5 == 0
        time.sleep(0.002)  # a handler takes its time
        with lock:
            running[message.originator] -= 1
            if fails:
                raise ValueError
            handled[message.originator].append(int(message.body))

    with dispatching(journal, handle):
        for number in range(60):
            store(journal, number, (ANN, BOB, "SHOP")[number % 3])
        wait_for(lambda: not waiting(journal))
    assert set(most.values()) == {1}
    assert all(numbers == sorted(numbers) and len(numbers) == 20 for numbers in handled.values())


def test_a_dead_one_makes_way(journal: Journal) -> None:
    """What comes behind it waits for its retries, and is handled once it is put aside."""
    events: list[str] = []

    def handle(message: MessageReceived) -> None:
        events.append(message.body)
        if message.body == "1":
            raise ValueError

    with dispatching(journal, handle):
        store(journal, 1)
        store(journal, 2)
        wait_for(lambda: not waiting(journal))
    assert events == ["1", "1", "1", "2"]


def test_a_back_off_holds_up_no_other_originator(journal: Journal) -> None:
    """While one originator's first message waits for its retry, another's is handled at once."""
    handled: list[str] = []

    def handle(message: MessageReceived) -> None:
        if message.originator == ANN:
            raise ValueError
        handled.append(message.body)

    with dispatching(journal, handle, backoff=60):
        for number in range(20):
            store(journal, number)
        store(journal, 99, BOB)
        wait_for(lambda: handled == ["99"])
        wait_for(lambda: waiting(journal) == 20)


def test_without_order_one_originator_fills_all_threads(journal: Journal) -> None:
    """Switched off, four of one run side by side."""
    meeting = threading.Barrier(4)

    def handle(_: MessageReceived) -> None:
        meeting.wait(10)

    with dispatching(journal, handle, in_order=False):
        for number in range(8):
            store(journal, number)
        wait_for(lambda: not waiting(journal))
    assert not meeting.broken


def test_a_queue_of_one_originator_is_worked_off_without_pauses(journal: Journal) -> None:
    """Each end makes the next one due at once: no polling lies between them."""
    for number in range(100):
        store(journal, number)
    began = time.monotonic()
    with dispatching(journal, lambda _: None):
        wait_for(lambda: not waiting(journal))
    assert time.monotonic() - began < 10
