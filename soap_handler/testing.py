"""pytest plugin for code that gets notifications: a real service in the test's process, and a simulated EMS before it.

A conftest.py or a test module asks for it by ``pytest_plugins = ["soap_handler.testing"]``. It is no entry point, so
tests that do not ask for it import nothing of it.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

import pytest
from pydantic import ValidationError

from soap_handler.app import App
from soap_handler.dispatch.handlers import Handlers
from soap_handler.ems import EmsAccount, PushSettings, SimulatedEms
from soap_handler.errors import SettingsError
from soap_handler.faces.base import PATH
from soap_handler.journal import Selection, State
from soap_handler.notifications import Kind, MessageReceived
from soap_handler.settings import Settings
from soap_handler.settings.problems import sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from soap_handler.journal import Record
    from soap_handler.notifications import Notification

Plugged: TypeAlias = "Handlers | Callable[[Notification], None]"
"""Your handlers, or one function for all kinds."""
ACCOUNT: Final = EmsAccount(
    reference="EX0012345",
    username="inbox",
    password="inbox-password",  # noqa: S106 - of an inbox that exists only during a test
    push_username="ems",
    push_password="push-password",  # noqa: S106 - of a service that exists only during a test
)
"""The account of the fixtures."""

_N = TypeVar("_N", bound="Notification")
_SINK: Final = "under_test"
_FIRST_TIME: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_POLL_SECONDS: Final = 0.005
_TABLES: Final[Mapping[str, Mapping[str, object]]] = {
    "server": {"port": 0, "drain_timeout": 5.0},
    "handler": {"backoff": 0.05, "backoff_cap": 0.2},
    "delete": {"backoff": 0.05, "backoff_cap": 0.2},
}
"""Settings in which nothing waits for long."""


class RunningService:
    """A service with its journal on disk, the simulated EMS that pushes to it, and what became of what was pushed."""

    def __init__(self, ems: SimulatedEms, settings: Settings, plugged: Handlers | None) -> None:
        self.ems = ems
        """The simulated EMS: duplicates, lost answers, outages of the inbox and more, to order."""
        self._app = App(settings, plugged)
        self.url = f"http://127.0.0.1:{self._app.server.port}{PATH}"
        """The address that is registered with EMS."""
        self._pushed: list[Notification] = []
        self._thread = threading.Thread(target=self._app.run, name="soap_handler service")
        self._thread.start()
        ems.handler_url = self.url

    def receive(
        self, body: str, *, originator: str = "447700900123", recipient: str = "447700900456"
    ) -> MessageReceived:
        """Have EMS receive an SMS message: it lies in the inbox, and is pushed. Return it."""
        message = MessageReceived(
            account=ACCOUNT.reference,
            id=str(uuid.uuid4()),
            originator=originator,
            recipient=recipient,
            body=body,
            sent_at=_FIRST_TIME,
            received_at=_FIRST_TIME,
        )
        return self.push(message)

    def push(self, notification: _N) -> _N:
        """Have EMS push a notification of any kind, whose account is ``ACCOUNT.reference``; return it."""
        self._pushed.append(notification)
        self.ems.push(notification)
        return notification

    def wait_until_handled(self, *notifications: Notification, timeout: float = 10.0) -> None:
        """Wait until your code has confirmed these notifications; without any, all that were pushed.

        Raises:
            AssertionError: one of them is dead, or was not handled within ``timeout`` seconds; the text says why.
        """
        self._wait_for({State.HANDLED, State.DONE}, notifications or self._pushed, timeout)

    def wait_until_done(self, *notifications: Notification, timeout: float = 10.0) -> None:
        """Wait until these notifications, or all, are handled and each message has left the EMS inbox.

        Raises:
            AssertionError: as by :meth:`wait_until_handled`.
        """
        self._wait_for({State.DONE}, notifications or self._pushed, timeout)

    def wait_until_dead(self, *notifications: Notification, timeout: float = 10.0) -> None:
        """Wait until these notifications are given up, by your code or since it failed too often.

        Raises:
            AssertionError: one of them was handled, or goes on being tried after ``timeout`` seconds.
        """
        self._wait_for({State.DEAD}, notifications, timeout)

    def wait_until_failed(self, notification: Notification, timeout: float = 10.0) -> None:
        """Wait until an attempt at a notification has failed; it may be tried again afterwards.

        Raises:
            AssertionError: none has failed within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while not self.errors(notification):
            if time.monotonic() > deadline:
                raise AssertionError(self._what_became_of(notification, self._state(notification), timeout))
            time.sleep(_POLL_SECONDS)

    def errors(self, notification: Notification) -> list[str]:
        """Return why each attempt at a notification failed, oldest first; empty where none did."""
        record = self._record(notification)
        history = self._app.journal.history(record.seq) if record else []
        return [attempt.error for attempt in history if attempt.error is not None]

    def stop(self) -> None:
        """End the service as SIGTERM does. Started again in the same test, it goes on with its journal."""
        self.ems.handler_url = None
        self._app.stop()
        self._thread.join()

    def _wait_for(self, wanted: set[State], notifications: Sequence[Notification], timeout: float) -> None:
        final = {State.DONE, State.DEAD} - wanted
        deadline = time.monotonic() + timeout
        for notification in notifications:
            while (state := self._state(notification)) not in wanted:
                if state in final or time.monotonic() > deadline:
                    raise AssertionError(self._what_became_of(notification, state, timeout))
                time.sleep(_POLL_SECONDS)

    def _state(self, notification: Notification) -> State | None:
        record = self._record(notification)
        return record.state if record else None

    def _record(self, notification: Notification) -> Record | None:
        found = self._app.journal.records(Selection(key=notification.key), limit=1)
        return found[0] if found else None

    def _what_became_of(self, notification: Notification, state: State | None, timeout: float) -> str:
        if state is None:
            failures = [each.last_failure for each in self.ems.waiting() if each.key == notification.key]
            return f"{notification.key} was not taken in {timeout:g} s: {', '.join(failures) or 'it was not pushed'}"
        errors = self.errors(notification)
        return (
            f"{notification.key} is {state} after {len(errors)} failed attempts: {errors[-1] if errors else 'no error'}"
        )


class StartService(Protocol):
    """What the fixture ``soap_handler_service`` is: a function that starts a service."""

    def __call__(
        self,
        handlers: Plugged | None = None,
        *,
        sink: Mapping[str, object] | None = None,
        **tables: Mapping[str, object],
    ) -> RunningService:
        """Start a service for your handlers, or for a sink; it ends with the test.

        ``handlers`` are those of your module, or one function for all kinds; a kind that they lack is ignored.
        ``sink`` is a table as in the configuration, such as ``{"type": "webhook", "url": …}``. Other tables change
        settings: ``handler={"max_attempts": 2}``.

        Raises:
            SettingsError: a setting is wrong.
        """


@pytest.fixture
def ems() -> Iterator[SimulatedEms]:
    """Run a simulated EMS with one account, whose inbox is empty."""
    with SimulatedEms([ACCOUNT], push_settings=PushSettings(longest_retry=0.2)) as simulated:
        yield simulated


@pytest.fixture
def soap_handler_service(ems: SimulatedEms, tmp_path: Path) -> Iterator[StartService]:
    """Return a function that starts a service, with its journal in the test's folder."""
    with contextlib.ExitStack() as running:

        def start(
            handlers: Plugged | None = None,
            *,
            sink: Mapping[str, object] | None = None,
            **tables: Mapping[str, object],
        ) -> RunningService:
            plugged = _plugged(handlers)
            url = f"sqlite:///{tmp_path / 'soap-handler.db'}"
            service = RunningService(ems, _settings(url, ems.inbox_url, plugged, sink, tables), plugged)
            running.callback(service.stop)
            return service

        yield start


def _plugged(handlers: Plugged | None) -> Handlers | None:
    if handlers is None or isinstance(handlers, Handlers):
        return handlers
    found = Handlers()
    found.all_kinds(handlers)
    return found


def _settings(
    journal: str,
    inbox: str,
    plugged: Handlers | None,
    sink: Mapping[str, object] | None,
    tables: Mapping[str, Mapping[str, object]],
) -> Settings:
    """Return the settings of a service that pushes arrive at; what the test says goes before what this file says."""
    merged: dict[str, Any] = {name: {**_TABLES.get(name, {}), **tables.get(name, {})} for name in {*_TABLES, *tables}}
    merged["journal"] = {"url": journal, **tables.get("journal", {})}
    if plugged is not None:
        merged["handler"].setdefault("ignore", [kind.value for kind in Kind if plugged.get(kind) is None])
    if sink is not None:
        merged["route"], merged["sink"] = [{"sink": _SINK}], {_SINK: dict(sink)}
    pushed = {"username": ACCOUNT.push_username, "password": ACCOUNT.push_password}
    read = {"url": inbox, "username": ACCOUNT.username, "password": ACCOUNT.password}
    merged["account"] = [{"reference": ACCOUNT.reference, "push": [pushed], "inbox": read}]
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(sentences(error, {})) from None
