"""From a push to the destination that the routes name: real service, real peers."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.app import App
from soap_handler.dispatch.breaker import FAILURES_TO_OPEN
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.dispatch.handlers import Handlers
from soap_handler.errors import GiveUp, HandlerNotFoundError, RetryLater
from soap_handler.journal import Entry, State
from soap_handler.journal.records import Selection
from soap_handler.notifications import MessageEvent, MessageReceived, Notification
from soap_handler.settings import Settings
from soap_handler.sinks.routes import destinations
from tests.sinks.deliveries import STORED
from tests.sinks.test_webhook import Endpoint, endpoint
from tests.support.service import settings_for
from tests.support.waiting import wait_for
from tests.support.wire import OTHER_REFERENCE, REFERENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from soap_handler.dispatch.admission import Admission

ALL = ["MessageReceived", "MessageEvent", "MessageError", "SubscriptionEvent"]


def routed(folder: Path, routes: list[dict[str, Any]], sinks: dict[str, Any], **handler: Any) -> Settings:
    """Return settings with routes and sinks."""
    values = settings_for(folder).model_dump()
    values |= {"route": routes, "sink": sinks}
    values["handler"] |= {"backoff": 0.01, "backoff_cap": 0.02, **handler}
    return Settings.model_validate(values)


class Running:
    """A service in a thread."""

    def __init__(self, settings: Settings, plugged: Handlers | None = None) -> None:
        self.app = App(settings, plugged)
        self._thread = threading.Thread(target=self.app.run)
        self._thread.start()

    def receive(self, *notifications: Notification) -> None:
        self.app.journal.record_all([Entry(each, STORED) for each in notifications])

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for (_, state), count in self.app.journal.counts().items():
            found[state.value] = found.get(state.value, 0) + count
        return found

    def stop(self) -> None:
        self.app.stop()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def hook() -> Iterator[Endpoint]:
    """Return a web hook that takes everything."""
    with endpoint() as found:
        yield found


def message(number: int, body: str = "hi", account: str = REFERENCE) -> MessageReceived:
    return MessageReceived(account=account, id=f"m{number}", originator=f"44770090{number:04}", body=body)


def test_the_first_route_that_matches_takes_a_notification(tmp_path: Path, hook: Endpoint) -> None:
    """By kind and account; what no sink takes goes to the customer's handlers."""
    spool = tmp_path / "spool"
    spool.mkdir()
    handled: list[Notification] = []
    handlers = Handlers()
    handlers.all_kinds(handled.append)
    settings = routed(
        tmp_path,
        [
            {"kinds": ["MessageReceived"], "accounts": [REFERENCE.lower()], "sink": "crm"},
            {"kinds": ["MessageReceived"], "sink": "spool"},
            {"sink": "python"},
        ],
        {"crm": {"type": "webhook", "url": hook.url}, "spool": {"type": "files", "directory": str(spool)}},
    )
    service = Running(settings, handlers)
    try:
        event = MessageEvent(account=REFERENCE, id="e1")
        service.receive(message(1), message(2, account=OTHER_REFERENCE), event)
        wait_for(lambda: service.counts() == {"done": 3})
    finally:
        service.stop()
    assert [body["id"] for body in hook.bodies] == ["m1"]
    assert [json.loads(path.read_text())["id"] for path in spool.iterdir()] == ["m2"]
    assert handled == [event]


def test_an_outage_of_the_destination_uses_up_no_attempt(tmp_path: Path, hook: Endpoint) -> None:
    """While it is down nothing is dead, even with few attempts allowed; afterwards everything arrives, once."""
    down = threading.Event()
    down.set()
    taken: list[str] = []

    def answer(body: bytes) -> tuple[int, dict[str, str]]:
        if down.is_set():
            return 500, {}
        taken.append(json.loads(body)["id"])
        return 204, {}

    hook.answer = answer
    sink = {"type": "webhook", "url": hook.url, "max_attempts": 6}
    service = Running(routed(tmp_path, [{"sink": "crm"}], {"crm": sink}))
    try:
        service.receive(*(message(number) for number in range(60)))
        breaker = service.app.dispatchers[0].destination.breaker
        assert breaker is not None
        wait_for(lambda: not breaker.is_closed)
        tried = len(hook.requests)
        wait_for(lambda: len(hook.requests) > tried)  # one finds out that it is still down
        assert service.counts() == {"received": 60}
        down.clear()
        wait_for(lambda: service.counts() == {"done": 60})
    finally:
        service.stop()
    assert sorted(taken) == sorted(f"m{number}" for number in range(60))


def test_a_refused_notification_is_dead_and_the_others_arrive(tmp_path: Path, hook: Endpoint) -> None:
    """The destination works: the one that it refuses a few times is dead, with the reason; no other waits for it."""
    hook.answer = lambda body: (422, {}) if b'"bad"' in body else (204, {})
    sink = {"type": "webhook", "url": hook.url, "refusals_allowed": 2}
    service = Running(routed(tmp_path, [{"sink": "crm"}], {"crm": sink}))
    try:
        service.receive(message(1), message(2, "bad"), *(message(number) for number in range(3, 20)))
        wait_for(lambda: service.counts() == {"done": 18, "dead": 1})
        (dead,) = service.app.journal.records(Selection(state=State.DEAD))
        assert getattr(dead.notification, "id", "") == "m2"
        assert [each.error for each in service.app.journal.history(dead.seq)] == ["HTTP 422", "HTTP 422"]
    finally:
        service.stop()


def test_one_that_fails_each_time_does_not_keep_the_sink_paused(tmp_path: Path, hook: Endpoint) -> None:
    """HTTP 500 for this one alone looks like an outage; after the pause another one finds out that it is none."""
    hook.answer = lambda body: (500, {}) if b'"bad"' in body else (204, {})
    service = Running(routed(tmp_path, [{"sink": "crm"}], {"crm": {"type": "webhook", "url": hook.url}}))
    try:
        breaker = service.app.dispatchers[0].destination.breaker
        assert breaker is not None
        for _ in range(FAILURES_TO_OPEN):
            breaker.failed("HTTP 500")
        service.receive(message(1, "bad"))
        tried = len(hook.requests)
        wait_for(lambda: len(hook.requests) > tried)
        service.receive(*(message(number) for number in range(2, 7)))
        wait_for(lambda: service.counts() == {"done": 5, "received": 1})
    finally:
        service.stop()


def test_a_slow_destination_holds_up_no_other(tmp_path: Path, hook: Endpoint) -> None:
    """Each has threads of its own."""
    spool = tmp_path / "spool"
    spool.mkdir()
    hook.delay = 1.0
    routes: list[dict[str, Any]] = [{"kinds": ["MessageEvent"], "sink": "slow"}, {"sink": "spool"}]
    sinks = {
        "slow": {"type": "webhook", "url": hook.url, "concurrency": 1},
        "spool": {"type": "files", "directory": str(spool)},
    }
    service = Running(routed(tmp_path, routes, sinks))
    try:
        service.receive(*(MessageEvent(account=REFERENCE, id=f"e{number}") for number in range(3)))
        service.receive(*(message(number) for number in range(30)))
        wait_for(lambda: len(list(spool.glob("2*"))) == 30)
        assert len(hook.requests) < 3
        hook.delay = 0
        wait_for(lambda: service.counts() == {"done": 33})
    finally:
        service.stop()


def test_each_destination_has_a_share_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load shedding is for one thread: two claim loops would take each other's tokens."""
    given: list[Admission] = []

    class Noting(Dispatcher):
        def __init__(self, *args: Any, admission: Admission, **named: Any) -> None:
            given.append(admission)
            super().__init__(*args, admission=admission, **named)

    monkeypatch.setattr("soap_handler.app.Dispatcher", Noting)
    sinks = {name: {"type": "files", "directory": str(tmp_path)} for name in ("one", "two")}
    service = Running(routed(tmp_path, [{"kinds": ALL[:2], "sink": "one"}, {"sink": "two"}], sinks))
    service.stop()
    assert len({id(each) for each in given}) == 2


def test_what_no_route_takes_must_be_ignored_on_purpose(tmp_path: Path) -> None:
    """Else it would wait for ever; ignored, it is stored and done, and its history says so."""
    routes = [{"kinds": ["MessageReceived"], "sink": "spool"}]
    sinks = {"spool": {"type": "files", "directory": str(tmp_path)}}
    with pytest.raises(HandlerNotFoundError, match="no route takes MessageEvent of account"):
        destinations(routed(tmp_path, routes, sinks))
    service = Running(routed(tmp_path, routes, sinks, ignore=ALL[1:]))
    try:
        service.receive(MessageEvent(account=REFERENCE, id="e1"))
        wait_for(lambda: service.counts() == {"done": 1})
        (record,) = service.app.journal.records(Selection())
        assert [each.outcome for each in service.app.journal.history(record.seq)] == ["ignored"]
    finally:
        service.stop()


def test_a_sink_out_of_reach_does_not_keep_the_service_from_receiving(tmp_path: Path) -> None:
    """It starts, stores, and waits for the destination."""
    service = Running(routed(tmp_path, [{"sink": "crm"}], {"crm": {"type": "webhook", "url": "http://127.0.0.1:9/"}}))
    try:
        service.receive(message(1))
        assert service.counts() == {"received": 1}
    finally:
        service.stop()


def test_a_handler_says_when_to_try_again_and_when_never(tmp_path: Path) -> None:
    """``RetryLater`` and ``GiveUp`` are words for handlers; the reasons are in the history."""
    handlers = Handlers()
    calls: list[str] = []

    @handlers.all_kinds
    def handle(notification: Notification) -> None:
        assert isinstance(notification, MessageReceived)
        calls.append(notification.id)
        if notification.id == "m1":
            raise GiveUp("no such customer")
        if calls.count("m2") < 3:
            raise RetryLater("the ledger is closed", after=0.01)

    settings = settings_for(tmp_path)
    settings = settings.model_copy(update={"handler": settings.handler.model_copy(update={"backoff": 0.01})})
    service = Running(settings, handlers)
    try:
        service.receive(message(1), message(2))
        wait_for(lambda: service.counts() == {"done": 1, "dead": 1})
        errors = {
            getattr(record.notification, "id", ""): [each.error for each in service.app.journal.history(record.seq)]
            for record in service.app.journal.records(Selection())
        }
    finally:
        service.stop()
    assert errors == {"m1": ["no such customer"], "m2": ["the ledger is closed", "the ledger is closed", None]}
