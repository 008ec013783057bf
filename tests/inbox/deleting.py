"""What the tests of deleting share: messages that were handled, and a deleter at work on them."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from soap_handler.accounts.authentication import Account
from soap_handler.dispatch.admission import Admission
from soap_handler.ems import EmsAccount
from soap_handler.inbox.deleters import Deleters
from soap_handler.journal import Entry, Journal, Record, Selection, Settlement, State, Step
from soap_handler.notifications import MessageReceived
from soap_handler.settings import DeleteSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from soap_handler.inbox.deleter import Deleter
    from soap_handler.settings import InboxSettings

ACCOUNT: Final = "EX0012345"
EMS: Final = EmsAccount(
    reference=ACCOUNT, username="someone", password="secret", push_username="ems", push_password="ems"
)
QUICK: Final = DeleteSettings(backoff=0.05, backoff_cap=0.1, refused_backoff=0.2, batch=100)
SLOW: Final = DeleteSettings(backoff=1000, backoff_cap=1000, refused_backoff=1000, batch=100)


def id_of(number: int) -> str:
    return f"10000000-0000-0000-0000-{number:012d}"


def message(number: int, account: str = ACCOUNT) -> MessageReceived:
    return MessageReceived(account=account, id=id_of(number), originator="447700900123", recipient="447786204254")


def handle(journal: Journal, numbers: Sequence[int], account: str = ACCOUNT) -> None:
    """Bring messages to where their handler has returned."""
    moment = datetime.now(UTC)
    for number in numbers:
        journal.record(Entry(message(number, account), moment))
    claims = journal.claim(len(numbers), timedelta(minutes=1))
    due, ended = journal.queue_now(), datetime.now(UTC)
    journal.settle([Settlement(claim, Step.HANDLE, State.HANDLED, due, moment, ended) for claim in claims])


def records(journal: Journal, state: State) -> list[Record]:
    return journal.records(Selection(state=state))


def all_done(journal: Journal, count: int) -> Callable[[], bool]:
    return lambda: len(records(journal, State.DONE)) == count


def errors(journal: Journal) -> list[str | None]:
    """Return how each attempt at a delete failed; those that failed alike are one row, counted."""
    attempts = [attempt for _, attempt in journal.attempts() if attempt.step is Step.DELETE]
    return [attempt.error for attempt in attempts for _ in range(attempt.times)]


class Gap(Admission):
    """An admission that leaves a gap (seconds) between calls, until it is set to another."""

    delete_gap = 0.0

    def __init__(self, seconds: float) -> None:
        self.delete_gap = seconds


def deleters_of(
    journal: Journal,
    inbox: InboxSettings,
    how: DeleteSettings = QUICK,
    account: str = ACCOUNT,
    admission: Admission | None = None,
    **terms: Any,
) -> Deleters:
    """Build what empties the inbox of one account. It is not started."""
    return Deleters([account_of(inbox, account)], journal, how, admission, **terms)


def account_of(inbox: InboxSettings, account: str = ACCOUNT) -> Account:
    return Account(account, (), ZoneInfo("UTC"), anonymous=False, inbox=inbox, verifiers=())


@contextmanager
def deleting(
    journal: Journal,
    inbox: InboxSettings,
    how: DeleteSettings = QUICK,
    account: str = ACCOUNT,
    admission: Admission | None = None,
    **terms: Any,
) -> Iterator[Deleter]:
    """Empty the inbox of one account; afterwards nothing is under way."""
    deleters = deleters_of(journal, inbox, how, account, admission, **terms)
    deleters.start()
    try:
        yield next(iter(deleters))
    finally:
        assert deleters.stop(lambda: 20)
