"""Demonstration run: service and simulated EMS over real sockets, until all is done or progress stops."""

from __future__ import annotations

import threading
import time
import zlib
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from soap_handler.app import App
from soap_handler.cli.demo_report import Report
from soap_handler.dispatch.handlers import Handlers
from soap_handler.ems import Disturbances, EmsAccount, OutageKind, SimulatedEms, believable_notifications
from soap_handler.faces.base import PATH
from soap_handler.journal import Journal, Selection, State
from soap_handler.notifications import Kind
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
    from collections.abc import Iterator

    from soap_handler.cli.display import Show
    from soap_handler.ems import Counts
    from soap_handler.notifications import Notification

_ACCOUNT: Final = EmsAccount(
    reference="EX0012345",
    number="447786204254",
    username="inbox",
    password="inbox-password",  # noqa: S106 - of an inbox that exists only during the run
    push_username="ems",
    push_password="push-password",  # noqa: S106 - of a service that exists only during the run
)
_DISTURBED: Final = Disturbances(
    duplicates=0.1, lost_answers=0.05, late=0.02, reordered=0.1, bursts=0.1, upper_case_ids=0.1, inbox_outages=0.05,
    slow=0.2,
)  # fmt: skip
_FAILURE_RATIO: Final = 50  # the handler fails once at one of so many notifications
_POLL_SECONDS: Final = 0.1
_STALL_SECONDS: Final = 30.0  # without any progress, after which the run is given up


class CountingHandler:
    """A handler that records the keys it handled, and fails at some notifications the first time."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._failed_once: set[str] = set()
        self._handled: set[str] = set()
        self._lock = threading.Lock()

    def handle(self, notification: Notification) -> None:
        """Record the key of a notification, or fail at it once."""
        key = notification.key
        with self._lock:
            if key not in self._failed_once and zlib.crc32(f"{self._seed} {key}".encode()) % _FAILURE_RATIO == 0:
                self._failed_once.add(key)
                raise RuntimeError("failed on purpose")
            self._handled.add(key)

    @property
    def handled(self) -> frozenset[str]:
        """Keys of the notifications handled so far."""
        with self._lock:
            return frozenset(self._handled)


def demonstrate(messages: int, seed: int, show: Show) -> Report:
    """Push so many notifications through the whole service, and return what each side counted."""
    notifications = list(islice(believable_notifications(_ACCOUNT.reference, seed), messages))
    handler = CountingHandler(seed)
    began = time.monotonic()
    with TemporaryDirectory(prefix="soap-handler-") as folder:
        url = f"sqlite:///{Path(folder) / 'journal.db'}"
        with SimulatedEms([_ACCOUNT], disturbances=_DISTURBED, seed=seed) as ems:
            with _service(_settings(url, ems.inbox_url), handler) as app:
                ems.inbox.outage(OutageKind.SERVER_ERROR)
                ems.handler_url = f"http://127.0.0.1:{app.server.port}{PATH}"
                ems.push_all(notifications)
                _wait(ems, app.journal, _Progress(notifications, ems, handler, show))
            unacknowledged = {each.key: each.last_failure for each in ems.waiting() if not each.acknowledged}
        seconds = time.monotonic() - began
        return Report(
            ordered={each.key: each.kind for each in notifications},
            unacknowledged=unacknowledged,
            ems=ems.counts(),
            journal=_read(url),
            handled=handler.handled,
            seconds=seconds,
        )


class _Progress:
    """Progress of the run: polled from all sides, shown on the screen, watched for a stall."""

    def __init__(
        self, notifications: list[Notification], ems: SimulatedEms, handler: CountingHandler, show: Show
    ) -> None:
        self._total = len(notifications)
        self._in_inbox = sum(each.kind is Kind.MESSAGE_RECEIVED for each in notifications)
        self._ems = ems
        self._handler = handler
        self._show = show
        self._last = (-1, -1, -1)
        self._changed_at = time.monotonic()

    def poll(self) -> Counts:
        counts, handled = self._ems.counts(), len(self._handler.handled)
        self._show(
            {
                "acknowledged": (counts.acknowledged, self._total),
                "handled": (handled, self._total),
                "deleted from the inbox": (counts.deleted, self._in_inbox),
            }
        )
        done = (counts.acknowledged, handled, counts.deleted)  # failed attempts are no progress
        if done != self._last:
            self._last, self._changed_at = done, time.monotonic()
        return counts

    @property
    def half_done(self) -> bool:
        return 2 * len(self._handler.handled) >= self._total

    @property
    def is_stalled(self) -> bool:
        return time.monotonic() - self._changed_at > _STALL_SECONDS


def _wait(ems: SimulatedEms, journal: Journal, progress: _Progress) -> None:
    """Wait until nothing is left to do. The inbox outage ends when half of the notifications are handled."""
    down = True
    while not progress.is_stalled:
        counts = progress.poll()
        if down and progress.half_done:
            ems.inbox.restore()
            down = False
        if not (down or counts.waiting or counts.inbox or _under_way(journal)):
            return
        time.sleep(_POLL_SECONDS)


def _under_way(journal: Journal) -> int:
    return sum(count for (_, state), count in journal.counts().items() if state in {State.RECEIVED, State.HANDLED})


def _read(url: str) -> dict[str, State]:
    """Return the states in the journal, read from disk after the service has closed it."""
    with Journal(url) as journal:
        return {record.key: record.state for record in journal.records(Selection())}


@contextmanager
def _service(settings: Settings, handler: CountingHandler) -> Iterator[App]:
    plugged = Handlers()
    plugged.all_kinds(handler.handle)
    app = App(settings, plugged)
    thread = threading.Thread(target=app.run, name="service")
    thread.start()
    try:
        yield app
    finally:
        app.stop()
        thread.join()


def _settings(journal_url: str, inbox_url: str) -> Settings:
    """Return the default settings with a free port and short back-offs."""
    account = AccountSettings(
        reference=_ACCOUNT.reference,
        aliases=(_ACCOUNT.number,),
        push=(PushCredentials(username=_ACCOUNT.push_username, password=SecretStr(_ACCOUNT.push_password)),),
        inbox=InboxSettings(url=inbox_url, username=_ACCOUNT.username, password=SecretStr(_ACCOUNT.password)),
    )
    return Settings(
        server=ServerSettings(port=0, drain_timeout=10.0),
        journal=JournalSettings(url=SecretStr(journal_url)),
        handler=HandlerSettings(backoff=0.1),
        delete=DeleteSettings(backoff=0.1, backoff_cap=1.0),
        account=(account,),
    )
