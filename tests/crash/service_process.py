"""The real service as a process of its own, for the tests that kill it. Its handler keeps a diary."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from soap_handler import logs
from soap_handler.app import App
from soap_handler.handlers import Handlers
from soap_handler.journal import Journal
from soap_handler.settings import (
    AccountSettings,
    DeleteSettings,
    HandlerSettings,
    InboxSettings,
    JournalSettings,
    PushCredentials,
    ServerSettings,
    Settings,
)

if TYPE_CHECKING:
    from soap_handler.notifications import Notification

REFERENCE, USERNAME, PASSWORD = "EX0000001", "ems", "not a secret"
SLOWEST = 0.02  # seconds that a handler takes at most: long enough to be hit by a kill


def settings(folder: Path, port: int, inbox_url: str) -> Settings:
    push = PushCredentials(username=USERNAME, password=SecretStr(PASSWORD))
    inbox = InboxSettings(url=inbox_url, username=USERNAME, password=SecretStr(PASSWORD), timeout=5)
    return Settings(
        server=ServerSettings(port=port, drain=10),
        journal=JournalSettings(url=SecretStr(f"sqlite:///{folder / 'journal.db'}")),
        handler=HandlerSettings(timeout=0.5, backoff=0.05, backoff_cap=0.2),  # a lease of under two seconds
        delete=DeleteSettings(backoff=0.05, backoff_cap=0.5, refused_pause=1),
        account=(AccountSettings(reference=REFERENCE, push=(push,), inbox=inbox),),
    )


def diary(folder: Path) -> Handlers:
    """Return handlers that write down, on disk, when they begin and when they end."""
    file = os.open(folder / "diary.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(what: str, notification: Notification) -> None:
        os.write(file, f"{what} {notification.key} {os.getpid()}\n".encode())
        os.fsync(file)

    handlers = Handlers()

    @handlers.all_kinds
    def handle(notification: Notification) -> None:
        note("start", notification)
        time.sleep(random.uniform(0, SLOWEST))  # noqa: S311 - it is no secret
        note("end", notification)

    return handlers


def main(folder: Path, port: int, inbox_url: str) -> None:
    # A delete that a killed process had begun is begun again after its lease: here at once, not in five minutes.
    Journal.claim_deletions.__defaults__ = (timedelta(seconds=1.5),)
    logs.configure("info", "json")
    app = App(settings(folder, port, inbox_url), diary(folder))
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=app.stop).start())
    sys.exit(0 if app.run() else 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
