"""The whole service in a thread, with a simulated EMS that pushes to it and whose inbox it empties."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from soap_handler import Handlers, MessageReceived
from soap_handler.app import App
from soap_handler.ems import EmsAccount, OutageKind, SimulatedEms, believable_notifications
from soap_handler.settings import (
    AccountSettings,
    DeleteSettings,
    InboxSettings,
    JournalSettings,
    PushCredentials,
    ServerSettings,
    Settings,
)
from tests.support.fast_path import applied_to
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from soap_handler import Notification

ACCOUNT = EmsAccount(reference="EX1", username="user", password="pass", push_username="ems", push_password="word")


def settings_for(folder: Path, inbox_url: str) -> Settings:
    inbox = InboxSettings(url=inbox_url, username="user", password=SecretStr("pass"), timeout=5)
    push = (PushCredentials(username="ems", password=SecretStr("word")),)
    return Settings(
        server=applied_to(ServerSettings(port=0)),
        journal=JournalSettings(url=SecretStr(f"sqlite:///{folder / 'journal.db'}")),
        delete=DeleteSettings(backoff=0.1, backoff_cap=0.5),
        account=(AccountSettings(reference="EX1", push=push, inbox=inbox),),
    )


class Running:
    """A service, its EMS, and how often the handler was called with each notification."""

    def __init__(self, folder: Path, ems: SimulatedEms) -> None:
        self.ems = ems
        self.handled = Counter[str]()
        handlers = Handlers()

        @handlers.all_kinds
        def count(notification: Notification) -> None:
            self.handled[notification.key] += 1

        self.app = App(settings_for(folder, ems.inbox_url), handlers)
        ems.handler_url = f"http://127.0.0.1:{self.app.server.port}/AccountEventHandler"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with SimulatedEms([ACCOUNT]) as ems, contextlib.ExitStack() as stack:
        found = Running(tmp_path, ems)
        thread = threading.Thread(target=found.app.run)
        thread.start()
        stack.callback(thread.join, 30)
        stack.callback(found.app.stop)
        yield found


def messages(count: int) -> list[Notification]:
    several = (each for each in believable_notifications("EX1", 7) if isinstance(each, MessageReceived))
    return list(islice(several, count))


@pytest.mark.parametrize("kind", [OutageKind.SERVER_ERROR, OutageKind.RESET, OutageKind.HTML])
def test_an_inbox_that_is_down_for_the_first_half_costs_nothing(running: Running, kind: OutageKind) -> None:
    """Handling and deleting are two facts: every handler ran once, and every message is deleted in the end."""
    notifications = messages(60)
    running.ems.inbox.outage(kind)
    running.ems.push_all(notifications[:30])
    wait_for(lambda: len(running.handled) == 30)
    assert len(running.ems.inbox.mailbox) == 30
    running.ems.inbox.restore()
    running.ems.push_all(notifications[30:])
    wait_for(lambda: len(running.handled) == 60 and not len(running.ems.inbox.mailbox))
    assert set(running.handled.values()) == {1}


def test_while_a_burst_comes_in_deletes_take_their_time(running: Running) -> None:
    """Handling gives way, deleting more so, and neither stands still; as soon as it is over, both go on at once."""
    slot = getattr(running.app.seams, "slot", None)
    if slot is None:
        pytest.skip("load shedding belongs to the fast path")
    *early, last, one_more = messages(4)

    def wait_in_a_burst(condition: Callable[[], bool]) -> None:
        def arriving() -> bool:
            slot.note_arrivals(100)  # as if they had come; the service sees no difference
            return condition()

        wait_for(arriving)

    for message in early:
        running.ems.push(message)
        wait_in_a_burst(lambda: not running.ems.inbox.mailbox.ids())
    begun = time.monotonic()
    running.ems.push(last)
    wait_in_a_burst(lambda: len(running.handled) == 3)
    handled_in = time.monotonic() - begun
    wait_in_a_burst(lambda: not running.ems.inbox.mailbox.ids())
    assert time.monotonic() - begun > 0.8
    assert handled_in < 0.8
    running.ems.push(one_more)
    wait_for(lambda: len(running.handled) == 4 and not running.ems.inbox.mailbox.ids())
