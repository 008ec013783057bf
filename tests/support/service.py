"""The whole service in a thread: real server, real journal in a folder, and handlers that keep what they are given."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from pydantic import SecretStr

from soap_handler.app import App
from soap_handler.dispatch.handlers import Handlers
from soap_handler.settings import (
    AccountSettings,
    HandlerSettings,
    JournalSettings,
    PushCredentials,
    ServerSettings,
    Settings,
)
from tests.support.empty_journal import empty_journal
from tests.support.fast_path import applied_to
from tests.support.waiting import wait_for
from tests.support.wire import (
    NUMBER,
    OTHER_PASSWORD,
    OTHER_REFERENCE,
    OTHER_USERNAME,
    PASSWORD,
    PATH,
    REFERENCE,
    USERNAME,
    Answer,
    post,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from soap_handler.journal import Entry, Journal
    from soap_handler.notifications import Notification

ACCOUNTS = (
    AccountSettings(
        reference=REFERENCE,
        aliases=(NUMBER,),
        push=(PushCredentials(username=USERNAME, password=SecretStr(PASSWORD)),),
        time_zone="Europe/London",
    ),
    AccountSettings(
        reference=OTHER_REFERENCE,
        push=(PushCredentials(username=OTHER_USERNAME, password=SecretStr(OTHER_PASSWORD)),),
    ),
)


def settings_for(folder: Path, *, server: ServerSettings | None = None, commit_within: float = 10.0) -> Settings:
    """Return settings for a service on a free port, with its journal in this folder and two accounts."""
    path = folder / "journal.db"
    url = f"sqlite:///{path}" if path.exists() else empty_journal(path)
    return Settings(
        server=applied_to(server or ServerSettings(port=0, drain_timeout=10, login_failures_allowed=1_000_000)),
        journal=JournalSettings(url=SecretStr(url), timeout=commit_within),
        handler=HandlerSettings(threads=1),
        account=ACCOUNTS,
    )


class Service:
    """A running service, and what its handlers were given."""

    def __init__(self, settings: Settings, sockets: Sequence[socket.socket] = ()) -> None:
        self.handled: list[Notification] = []
        handlers = Handlers()
        handlers.all_kinds(self.handled.append)
        self.app = App(settings, handlers, sockets)
        self.port = self.app.server.port
        self.submitted: list[Entry] = []
        """What was handed in to the journal so far, committed or not."""
        self._note_submitted(self.app.journal)
        self.drained: bool | None = None
        """What ``App.run`` returned."""
        self._thread = threading.Thread(target=self._run, name="service")

    def _note_submitted(self, journal: Journal) -> None:
        submit, submit_all = journal.submit, journal.submit_all

        def noting(entry: Entry) -> Future[bool]:
            commit = submit(entry)
            self.submitted.append(entry)
            return commit

        def noting_all(entries: Sequence[Entry]) -> Future[list[bool]]:
            commit = submit_all(entries)
            self.submitted.extend(entries)
            return commit

        journal.submit, journal.submit_all = noting, noting_all  # type: ignore[method-assign] # to look, not to change

    def _run(self) -> None:
        self.drained = self.app.run()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.app.stop()
        if self._thread.ident is None:
            self.app.run()
        else:
            self._thread.join(30)
        assert not self._thread.is_alive()

    def post(self, body: bytes, *headers: str, path: str = PATH) -> Answer:
        return post(self.port, body, *headers, path=path)

    def take(self, body: bytes, *headers: str) -> Notification:
        """Post what must be confirmed; return the notification that the handler was given for it."""
        wait_for(lambda: self.app.journal.next_handling() is None)  # others' may still be on their way
        known = len(self.handled)
        answer = self.post(body, *headers)
        assert answer.confirms, answer
        wait_for(lambda: len(self.handled) > known)
        (notification,) = self.handled[known:]
        return notification


@contextlib.contextmanager
def serving(settings: Settings, sockets: Sequence[socket.socket] = ()) -> Iterator[Service]:
    """Run a service, on these sockets where there are any; afterwards nothing of it is left."""
    before = set(threading.enumerate())
    service = Service(settings, sockets)
    service.start()
    try:
        yield service
    finally:
        service.stop()
    wait_for(lambda: set(threading.enumerate()) <= before, what=lambda: set(threading.enumerate()) - before)
