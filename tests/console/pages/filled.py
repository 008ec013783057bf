"""A journal in which something of everything happened, and the console's application on it. No service runs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from soap_handler.console import application, exposition, health
from soap_handler.console.access.visitors import Role, Visitor, access_of
from soap_handler.journal import Beginning, Entry, Journal, Refusal, Selection, Settlement, Source, State, Step, Tally
from soap_handler.metrics.shared_memory import MetricsSlot, SharedMemory
from soap_handler.metrics.status import Status
from soap_handler.notifications import (
    ErrorType,
    EventCode,
    FailureReason,
    Kind,
    MessageError,
    MessageEvent,
    MessageReceived,
    SubscriptionEvent,
)
from soap_handler.server.console_listener import ConsoleListener
from soap_handler.server.supervisor import listen
from soap_handler.settings import ConsoleSettings, InboxSettings, JournalSettings, Settings
from soap_handler.settings.sinks import PYTHON, RouteSettings, WebhookSettings
from tests.support.service import ACCOUNTS
from tests.support.wire import REFERENCE, envelope, header, operation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest
    from flask import Flask

    from soap_handler.journal import Claim, Record
    from soap_handler.notifications import Notification

_ANY: Final = Selection()
LEASE: Final = timedelta(minutes=5)
EVENT_ID: Final = "1f0a7f6e-0c57-4b8e-9a57-5d7c2f1f8f10"
TRACE: Final = "> sms.py:12 in take_in\n>     raise KeyError\n  orders.py:7 in find"
KEPT: Final = envelope(operation(body="a & b", id=""), header(password="***")).replace(b"a &amp; b", b"a & b")
"""The request of the message that had to be repaired."""


@dataclass(frozen=True)
class Filled:
    """What a test looks at."""

    app: Flask
    journal: Journal
    settings: Settings
    slot: MetricsSlot
    """What the one worker would count in."""

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Return the status and the text of an answer."""
        answer = self.app.test_client().get(path, headers=headers)
        return answer.status_code, answer.get_data(as_text=True)

    def page(self, path: str) -> str:
        """Return a page that is there."""
        status, text = self.get(path)
        assert status == 200, text
        return text

    def record(self, state: State) -> Record:
        """Return the latest record in a state."""
        return next(each for each in self.journal.records(_ANY) if each.state is state)

    def path(self, pattern: str) -> str:
        """Return a path in which ``{dead}`` and other states, and ``{repaired}``, stand for the numbers of messages."""
        repaired = next(each.seq for each in self.journal.records(_ANY) if "f" * 32 in each.key)
        return pattern.format(repaired=repaired, **{state.value: self.record(state).seq for state in State})


def settings_of(folder: Path) -> Settings:
    """Return settings with two accounts, a sink and your handlers."""
    hook = WebhookSettings(
        type="webhook",
        url=SecretStr("https://user:hunter2@hooks.example.com:8443/T0K3N"),
        bearer_token=SecretStr("t0ps3cret"),
    )
    inbox = InboxSettings(username="empties", password=SecretStr("t0ps3cret"))
    return Settings(
        journal=JournalSettings(url=SecretStr(f"sqlite:///{folder / 'journal.db'}")),
        account=(ACCOUNTS[0].model_copy(update={"inbox": inbox}), ACCOUNTS[1]),
        console=ConsoleSettings(port=0),
        route=(RouteSettings(sink="orders", kinds=(Kind.MESSAGE_EVENT,)), RouteSettings(sink=PYTHON)),
        sink={"orders": hook},
    )


@contextlib.contextmanager
def console_on(settings: Settings, *, guarded: bool = False) -> Iterator[Filled]:
    """Open the journal of some settings, and the console on it; each visitor may do all, unless it is guarded."""
    with Journal(settings.journal.url.get_secret_value()) as journal:
        memory = SharedMemory()
        slot = MetricsSlot(memory)
        slot.note(Status.SERVING)
        ready = health.Health(journal, memory.statuses)
        app = application.build(settings, journal, ready, exposition.Exposition(memory, journal, ready, [REFERENCE]))
        if not guarded:
            app.jinja_env.globals["csrf_token"] = str
            access_of(app).visitor = lambda: Visitor("someone", Role.OPERATOR)  # type: ignore[method-assign] # a double
        yield Filled(app, journal, settings, slot)


def as_viewer(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each visitor of a console be a viewer, until the end of the test."""
    monkeypatch.setattr(access_of(filled.app), "visitor", lambda: Visitor("another", Role.VIEWER))


@contextlib.contextmanager
def served(filled: Filled) -> Iterator[str]:
    """Serve a console on its real listener; yield the address."""
    listener = ConsoleListener(filled.app, listen("127.0.0.1", 0))
    listener.start()
    try:
        yield f"http://127.0.0.1:{listener.port}"
    finally:
        listener.stop(5)


def fill(journal: Journal) -> None:
    """Have something of everything happen."""
    now = datetime.now(UTC)
    for number, notification in enumerate(notifications()):
        at = now - timedelta(minutes=20) + timedelta(seconds=20 * number)
        kept = KEPT if getattr(notification, "repaired", ()) else None
        journal.record(Entry(notification, at, Source.INBOX if number == 3 else Source.PUSH, kept))
    _work(journal)
    _surroundings(journal, now)


def notifications() -> list[Notification]:
    """Return what comes in, oldest first."""
    received = [
        MessageReceived(
            account=REFERENCE,
            id=f"8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c{number:02x}",
            originator=f"4477009001{number:02}",
            recipient="447786204254",
            body=f"Vote for number {number}, good luck & thanks",
        )
        for number in range(24)
    ]
    repaired = MessageReceived(
        account=REFERENCE,
        id="",
        originator="447700900199",
        body="a & b",
        repaired=("unescaped character",),
        digest="f" * 32,
    )
    others: list[Notification] = [
        MessageEvent(account=REFERENCE, id=EVENT_ID, occurred_at=datetime(2026, 3, 2, 8, tzinfo=UTC)),
        MessageError(
            account=REFERENCE, id=EVENT_ID, error_type=ErrorType.FAILED, detail="It failed",
            failure_reason=FailureReason(13, "Absent subscriber", permanent_failure=False),
        ),
        SubscriptionEvent(account=REFERENCE, mobile_number="447700900188", event_code=EventCode.SUBSCRIBE),
    ]  # fmt: skip
    return [*received, repaired, *others]


def _work(journal: Journal) -> None:
    """Handle some, fail some, leave some waiting; delete some from the inbox."""
    for number, claim in enumerate(journal.claim(22, LEASE)):
        journal.settle([_end(journal, number, claim)])
    for claim in journal.claim_deletions(REFERENCE, 9):
        journal.settle_deleted([claim])
    journal.settle_delete_failed(
        journal.claim_deletions(REFERENCE, 2), "EMS answered HTTP 503", journal.queue_now() + timedelta(minutes=3)
    )
    for claim in journal.claim(9, LEASE):
        if claim.kind == "MessageEvent":
            later = journal.queue_now() + timedelta(seconds=40)
            journal.settle([_failed(claim, State.RECEIVED, "orders answered HTTP 503", later, uncalled="paused")])
        elif "f" * 32 in claim.key:
            journal.settle([_failed(claim, State.RECEIVED, "ValueError: no vote in it", journal.queue_now() + LEASE)])
        else:
            journal.release([claim], Step.HANDLE)


def _end(journal: Journal, number: int, claim: Claim) -> Settlement:
    if number in {4, 9, 14}:
        return _failed(claim, State.DEAD, "KeyError: no order 7", None)
    if number == 11:
        return _failed(
            claim, State.DEAD, "sqlalchemy.exc.OperationalError: the database of the shop is out of reach", None
        )
    ended = claim.leased_at + timedelta(milliseconds=37 + number)
    return Settlement(claim, Step.HANDLE, State.HANDLED, journal.queue_now(), claim.leased_at, ended)


def _failed(claim: Claim, state: State, error: str, due: datetime | None, uncalled: str | None = None) -> Settlement:
    ended = claim.leased_at + timedelta(milliseconds=1234)
    trace = None if uncalled else TRACE
    return Settlement(claim, Step.HANDLE, state, due, claim.leased_at, ended, error, uncalled=uncalled, trace=trace)


def _surroundings(journal: Journal, now: datetime) -> None:
    for minutes, tally, error in (
        (15, Tally(inbox=12, recovered=2, left_alone=10), None),
        (10, Tally(), "EMS refused the login"),
        (5, Tally(inbox=9, recovered=1, deleted_again=3, left_alone=4, unreadable=1), None),
    ):
        begun = journal.begin_reconciliation(Beginning(REFERENCE, now - timedelta(minutes=minutes)))
        assert begun is not None
        journal.end_reconciliation(begun, tally, error)
    retry = journal.queue_now() + timedelta(minutes=4)
    journal.gates.enter(ACCOUNTS[1].reference, "test", LEASE, LEASE)
    journal.gates.refuse(Refusal(ACCOUNTS[1].reference, 3, retry, "hash", "the user name or the password is wrong"))
