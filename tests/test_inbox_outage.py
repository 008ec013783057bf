"""The whole service while the EMS inbox is away: handling and deleting are two facts."""

from __future__ import annotations

import threading
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from support.service import wait_for

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

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler import Notification

ACCOUNT = EmsAccount(reference="EX1", username="user", password="pass", push_username="ems", push_password="word")


def settings_for(folder: Path, inbox_url: str) -> Settings:
    inbox = InboxSettings(url=inbox_url, username="user", password=SecretStr("pass"), timeout=5)
    push = (PushCredentials(username="ems", password=SecretStr("word")),)
    return Settings(
        server=ServerSettings(port=0),
        journal=JournalSettings(url=SecretStr(f"sqlite:///{folder / 'journal.db'}")),
        delete=DeleteSettings(backoff=0.1, backoff_cap=0.5),
        account=(AccountSettings(reference="EX1", push=push, inbox=inbox),),
    )


@pytest.mark.parametrize("kind", [OutageKind.SERVER_ERROR, OutageKind.RESET, OutageKind.HTML])
def test_an_inbox_that_is_down_for_the_first_half_costs_nothing(tmp_path: Path, kind: OutageKind) -> None:
    """Every handler ran once, and every message is deleted in the end."""
    handled = Counter[str]()
    handlers = Handlers()

    @handlers.all_kinds
    def count(notification: Notification) -> None:
        handled[notification.key] += 1

    messages = (each for each in believable_notifications("EX1", 7) if isinstance(each, MessageReceived))
    notifications = list(islice(messages, 60))
    with SimulatedEms([ACCOUNT]) as ems:
        app = App(settings_for(tmp_path, ems.inbox_url), handlers)
        running = threading.Thread(target=app.run)
        running.start()
        try:
            ems.handler_url = f"http://127.0.0.1:{app.server.port}/AccountEventHandler"
            ems.inbox.outage(kind)
            ems.push_all(notifications[:30])
            wait_for(lambda: len(handled) == 30)
            assert len(ems.inbox.mailbox) == 30
            ems.inbox.restore()
            ems.push_all(notifications[30:])
            wait_for(lambda: len(handled) == 60 and not len(ems.inbox.mailbox), 20)
        finally:
            app.stop()
            running.join(30)
    assert set(handled.values()) == {1}
