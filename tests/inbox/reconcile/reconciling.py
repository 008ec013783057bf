"""A simulated EMS, a real journal, and the short cuts that bring a message to any state. No test is here."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr
from sqlalchemy import create_engine

from soap_handler import clock
from soap_handler.accounts.accounts import Accounts
from soap_handler.ems import EmsAccount
from soap_handler.inbox import Inbox
from soap_handler.inbox.reconciler import Reconciler, Result
from soap_handler.journal import Beginning, Entry, Journal, Selection, Settlement, State, Step
from soap_handler.notifications import MessageReceived
from soap_handler.settings import AccountSettings, InboxSettings, PushCredentials, ReconcileSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from soap_handler.accounts.authentication import Account
    from soap_handler.journal import Claim, Record

REFERENCE: Final = "EX0012345"
EMS: Final = EmsAccount(
    reference=REFERENCE, username="someone", password="secret", push_username="ems", push_password="push"
)
RIGHT: Final = EMS.password
MINUTE: Final = timedelta(minutes=1)


def message(number: int, body: str = "Yes") -> MessageReceived:
    moment = datetime(2026, 3, 2, 8, 0, second=number % 60, tzinfo=UTC)
    return MessageReceived(
        account=REFERENCE,
        id=f"10000000-0000-0000-0000-{number:012d}",
        originator="447700900123",
        recipient="447786204254",
        body=body,
        sent_at=moment,
        received_at=moment,
    )


def account_settings(url: str, password: str = RIGHT) -> AccountSettings:
    return AccountSettings(
        reference=REFERENCE,
        aliases=("447786204254",),
        push=(PushCredentials(username="ems", password=SecretStr("push")),),
        inbox=InboxSettings(
            url=url, username="someone", password=SecretStr(password), timeout=5.0, connect_timeout=5.0
        ),
    )


def account(url: str, password: str = RIGHT) -> Account:
    [found] = Accounts([account_settings(url, password)])
    return found


@contextmanager
def reconciling(
    journal: Journal,
    url: str,
    settings: ReconcileSettings | None = None,
    *,
    now: Callable[[], datetime] = clock.now,
    chunk: int = 500,
) -> Iterator[Reconciler]:
    """Build a reconciler for the account; afterwards its connections are closed."""
    known = account(url)
    assert known.inbox is not None
    inbox = Inbox(REFERENCE, known.inbox)
    try:
        yield Reconciler(known, inbox, journal, settings or ReconcileSettings(timeout=20.0), now, chunk=chunk)
    finally:
        inbox.close()


def run(journal: Journal, url: str, stopping: Callable[[], bool] = lambda: False, chunk: int = 500) -> Result:
    """Carry out one run, whatever others do."""
    with reconciling(journal, url, chunk=chunk) as reconciler:
        result = reconciler.run(Beginning(REFERENCE, datetime.now(UTC)), stopping=stopping)
    assert result is not None
    return result


def store(journal: Journal, number: int, state: State) -> MessageReceived:
    """Put a message into the journal and bring it to a state."""
    told = message(number)
    journal.record(Entry(told, datetime.now(UTC)))
    if state is State.RECEIVED:
        return told
    claim = _only(journal, journal.claim(100, MINUTE), told, Step.HANDLE)
    now = datetime.now(UTC)
    after_handling = State.DEAD if state is State.DEAD else State.HANDLED
    due = journal.queue_now() if after_handling is State.HANDLED else None  # the wall clock may be ahead of it
    journal.settle([Settlement(claim, Step.HANDLE, after_handling, due, now, now)])
    if state is State.DONE:
        journal.settle_deleted([_only(journal, journal.claim_deletions(REFERENCE, 100), told, Step.DELETE)])
    return told


def _only(journal: Journal, claims: list[Claim], wanted: MessageReceived, step: Step) -> Claim:
    """Return the claim on a message, and give the others back."""
    journal.release([claim for claim in claims if claim.key != wanted.key], step)
    [claim] = [claim for claim in claims if claim.key == wanted.key]
    return claim


@contextmanager
def beside(url: str) -> Iterator[Connection]:
    """Reach the same database beside the journal, in one transaction."""
    engine = create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def states(journal: Journal) -> dict[str, State]:
    """Return the state of each message by its id."""
    return {getattr(record.notification, "id", ""): record.state for record in records(journal)}


def records(journal: Journal) -> list[Record]:
    """Return all records, oldest first."""
    return journal.records(Selection())[::-1]
