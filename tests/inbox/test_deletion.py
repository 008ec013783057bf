"""From "handled" to "done", with a real journal and inboxes on real sockets."""

from __future__ import annotations

import random
import shutil
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest
from structlog.testing import capture_logs

from soap_handler.deletion import Deleter
from soap_handler.ems import CodePlace, EmsAccount, InboxService, OutageKind, VendorCode
from soap_handler.errors import JournalUnavailableError
from soap_handler.inbox import Inbox
from soap_handler.journal import Entry, Journal, Record, Selection, Settlement, State, Step
from soap_handler.notifications import MessageReceived
from soap_handler.settings import DeleteSettings, InboxSettings

from .servers import Call, Connection, Server, fault, response, right, settings, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Literal

    from soap_handler.journal import Claim

_ACCOUNT: Final = "EX0012345"
_EMS: Final = EmsAccount(
    reference=_ACCOUNT, username="someone", password="secret", push_username="ems", push_password="ems"
)
_QUICK: Final = DeleteSettings(backoff=0.05, backoff_cap=0.1, refused_pause=0.2, batch=100)
_SLOW: Final = DeleteSettings(backoff=1000, backoff_cap=1000, refused_pause=1000, batch=100)


def _id(number: int) -> str:
    return f"10000000-0000-0000-0000-{number:012d}"


def _message(number: int, account: str = _ACCOUNT) -> MessageReceived:
    return MessageReceived(account=account, id=_id(number), originator="447700900123", recipient="447786204254")


@pytest.fixture(scope="module")
def empty_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the tables once; each test has a copy."""
    path = tmp_path_factory.mktemp("empty") / "journal.db"
    Journal(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def url(tmp_path: Path, empty_journal: Path) -> str:
    return f"sqlite:///{shutil.copy(empty_journal, tmp_path)}"


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal(url) as journal:
        yield journal


def _handle(journal: Journal, numbers: Sequence[int], account: str = _ACCOUNT) -> None:
    """Bring messages to where their handler has returned."""
    moment = datetime.now(UTC)
    for number in numbers:
        journal.record(Entry(_message(number, account), moment))
    claims = journal.claim(len(numbers), timedelta(minutes=1))
    due = datetime.now(UTC)
    journal.settle([Settlement(claim, Step.HANDLE, State.HANDLED, due, moment, due) for claim in claims])


def _records(journal: Journal, state: State) -> list[Record]:
    return journal.records(Selection(state=state))


def _all_done(journal: Journal, count: int) -> Callable[[], bool]:
    return lambda: len(_records(journal, State.DONE)) == count


def _errors(journal: Journal) -> list[str | None]:
    return [attempt.error for _, attempt in journal.attempts() if attempt.step is Step.DELETE]


@contextmanager
def _deleting(
    journal: Journal, inbox_settings: InboxSettings, how: DeleteSettings = _QUICK, account: str = _ACCOUNT
) -> Iterator[Deleter]:
    inbox = Inbox(account, inbox_settings)
    deleter = Deleter(account, inbox, journal, how)
    deleter.start()
    try:
        yield deleter
    finally:
        assert deleter.stop(20)
        inbox.close()


# -- when all is well --


def test_a_handled_message_leaves_the_inbox_and_is_done(journal: Journal) -> None:
    """EMS confirms the delete, and the journal says so, with an attempt in the message's history."""
    with InboxService([_EMS]) as ems:
        ems.mailbox.put(_message(1))
        _handle(journal, [1])
        with _deleting(journal, settings(ems.url)):
            wait_for(_all_done(journal, 1))
        assert ems.mailbox.ids() == []
    [record] = _records(journal, State.DONE)
    assert [(attempt.step, attempt.outcome) for attempt in journal.history(record.seq)] == [
        (Step.HANDLE, "ok"),
        (Step.DELETE, "ok"),
    ]


def test_what_waits_is_deleted_in_one_call_up_to_the_batch(journal: Journal) -> None:
    """Twenty-five messages in batches of ten are three calls."""
    _handle(journal, range(25))
    with (
        Server(right) as server,
        _deleting(journal, settings(server.url), _QUICK.model_copy(update={"batch": 10})),
    ):
        wait_for(_all_done(journal, 25))
    assert [len(call.ids) for call in server.calls] == [10, 10, 5]
    assert sorted(found for call in server.calls for found in call.ids) == [_id(number) for number in range(25)]


def test_the_journal_wakes_the_deleter(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that is handled now is deleted now, not at the next look."""
    monkeypatch.setattr("soap_handler.deletion._POLL", 1000.0)
    with Server(right) as server, _deleting(journal, settings(server.url)):
        for number in range(3):
            _handle(journal, [number])
            wait_for(_all_done(journal, number + 1))


def test_what_another_process_handled_is_found_too(journal: Journal, url: str) -> None:
    """Nobody wakes us for it; looking now and then finds it."""
    with Journal(url) as other, Server(right) as server, _deleting(journal, settings(server.url)):
        _handle(other, [1])
        wait_for(_all_done(journal, 1))


def test_only_the_accounts_own_messages_are_touched(journal: Journal) -> None:
    """Each account has an inbox of its own."""
    _handle(journal, [1])
    _handle(journal, [2], account="EX0054321")
    with Server(right) as server, _deleting(journal, settings(server.url)):
        wait_for(_all_done(journal, 1))
    assert [call.ids for call in server.calls] == [[_id(1)]]


def test_one_slow_inbox_holds_up_no_other(journal: Journal) -> None:
    """An account whose inbox says nothing does not keep another account waiting."""
    _handle(journal, [1])
    _handle(journal, [2], account="EX0054321")
    with (
        Server(lambda _, connection: connection.say_nothing()) as slow,
        Server(right) as quick,
        _deleting(journal, settings(slow.url, timeout=2)),
    ):
        wait_for(lambda: len(slow.calls) == 1)
        with _deleting(journal, settings(quick.url), account="EX0054321"):
            wait_for(_all_done(journal, 1), seconds=1.5)


# -- already gone --


@pytest.mark.parametrize("place", list(CodePlace))
@pytest.mark.parametrize("unknown_ids", ["ignore", "fault"])
@pytest.mark.parametrize("count", [1, 3])
def test_already_gone_is_a_success(
    journal: Journal, place: CodePlace, unknown_ids: Literal["ignore", "fault"], count: int
) -> None:
    """Somebody else deleted the messages, or our own delete whose answer was lost."""
    _handle(journal, range(count))
    with (
        InboxService([_EMS], code_place=place, unknown_ids=unknown_ids) as ems,
        _deleting(journal, settings(ems.url), _SLOW),
    ):
        if count > 1:
            ems.mailbox.put(_message(0))
        wait_for(_all_done(journal, count))
        assert ems.mailbox.ids() == []
    assert _errors(journal) == [None] * count


def test_a_lost_answer_is_made_good(journal: Journal) -> None:
    """EMS deleted, but its answer never came: the second delete finds nothing, and that is success."""
    _handle(journal, [1])
    with InboxService([_EMS]) as ems:
        ems.mailbox.put(_message(1))
        ems.outage(OutageKind.LOST_ANSWER, calls=1)
        with _deleting(journal, settings(ems.url)):
            wait_for(_all_done(journal, 1))
        assert ems.mailbox.deleted == 1
    assert len(_errors(journal)) == 2


# -- when the inbox fails --


@pytest.mark.parametrize(
    "kind", [OutageKind.SERVER_ERROR, OutageKind.RESET, OutageKind.HTML, OutageKind.EMPTY, OutageKind.TIMEOUT]
)
def test_after_an_outage_everything_is_deleted(journal: Journal, kind: OutageKind) -> None:
    """Deletes wait for the inbox for as long as it takes; no handler runs again for it."""
    _handle(journal, range(5))
    with InboxService([_EMS]) as ems:
        for number in range(5):
            ems.mailbox.put(_message(number))
        ems.outage(kind)
        with _deleting(journal, settings(ems.url, timeout=0.1)):
            wait_for(lambda: len(_errors(journal)) >= 10)
            assert len(_records(journal, State.HANDLED)) == 5
            ems.restore()
            wait_for(_all_done(journal, 5))
        assert ems.mailbox.ids() == []
    assert {record.attempts for record in _records(journal, State.DONE)} == {1}


def test_a_batch_that_fails_in_transport_is_not_tried_one_by_one(journal: Journal) -> None:
    """No hundred timeouts in a row: one failed call fails them all, and they are due again later."""
    _handle(journal, range(50))
    with Server(lambda _, connection: connection.reset()) as server, _deleting(journal, settings(server.url), _SLOW):
        wait_for(lambda: len(_errors(journal)) == 50)
    assert len(server.calls) == 1
    assert not any(record.leased for record in _records(journal, State.HANDLED))


def test_while_the_inbox_is_down_new_messages_wait_with_the_others(journal: Journal) -> None:
    """A message that was handled just now has no better chance than those that failed."""
    _handle(journal, [1])
    with Server(lambda _, connection: connection.reset()) as server, _deleting(journal, settings(server.url), _SLOW):
        wait_for(lambda: len(_errors(journal)) == 1)
        for number in range(2, 6):
            _handle(journal, [number])
    assert len(server.calls) == 1


def test_a_transport_failure_among_single_calls_fails_the_rest(journal: Journal) -> None:
    """The batch was refused as a whole, then the inbox went away: no timeout for each message."""

    def answer(call: Call, connection: Connection) -> None:
        connection.send(500, fault()) if call.operation == "DeleteMessages" else connection.reset()

    _handle(journal, range(20))
    with Server(answer) as server, _deleting(journal, settings(server.url), _SLOW):
        wait_for(lambda: len(_errors(journal)) == 20)
    assert [call.operation for call in server.calls] == ["DeleteMessages", "DeleteMessage"]


def test_one_message_that_spoils_the_batch_holds_up_no_other(journal: Journal) -> None:
    """EMS does not like one id: the others are deleted one by one, and that one is tried again later."""

    def answer(call: Call, connection: Connection) -> None:
        connection.send(500, fault(detail="<code>11</code>")) if _id(3) in call.ids else right(call, connection)

    _handle(journal, range(10))
    with Server(answer) as server, _deleting(journal, settings(server.url)):
        wait_for(_all_done(journal, 9))
        wait_for(lambda: len(_errors(journal)) >= 9 + 3)
    [left] = _records(journal, State.HANDLED)
    assert left.notification == _message(3)
    assert set(_errors(journal)) == {None, "SOAP fault, code 11"}


def test_three_faults_in_a_row_concern_the_inbox(journal: Journal) -> None:
    """An inbox that answers everything with a fault is not asked about each of a hundred messages."""
    _handle(journal, range(100))
    with (
        Server(lambda _, connection: connection.send(500, fault())) as server,
        _deleting(journal, settings(server.url), _SLOW),
    ):
        wait_for(lambda: len(_errors(journal)) == 3)
        wait_for(lambda: not any(record.leased for record in _records(journal, State.HANDLED)))
    assert [call.operation for call in server.calls] == ["DeleteMessages"] + ["DeleteMessage"] * 3
    assert sorted(record.delete_attempts for record in _records(journal, State.HANDLED)) == [0] * 97 + [1] * 3


class MoodyInbox:
    """An inbox that answers each call in a mood of its own, and knows for certain what it holds."""

    def __init__(self, ids: Iterable[str], seed: int) -> None:
        self.ids = set(ids)
        self.moody = True
        self._random = random.Random(seed)  # noqa: S311 - a test must be repeatable, not unpredictable

    def __call__(self, call: Call, connection: Connection) -> None:
        moods = [self._well, self._fails_half_way, self._keeps_quiet, self._breaks, self._confirms_another]
        mood = self._random.choice([*moods, self._refuses] if self.moody else [self._well])
        mood(call, connection)

    def _well(self, call: Call, connection: Connection) -> None:
        known = self.ids.issuperset(call.ids)
        self.ids.difference_update(call.ids)
        right(call, connection) if known else connection.send(500, fault(string="Message not found"))

    def _fails_half_way(self, call: Call, connection: Connection) -> None:
        self.ids.difference_update(call.ids[::2])
        connection.send(500, fault())

    def _keeps_quiet(self, call: Call, connection: Connection) -> None:
        self.ids.difference_update(call.ids)
        connection.reset()

    def _breaks(self, call: Call, connection: Connection) -> None:
        connection.send(self._random.choice([200, 500, 503]), self._random.choice(["", "<html/>", call.body]))

    def _confirms_another(self, call: Call, connection: Connection) -> None:
        other = "DeleteMessages" if call.operation == "DeleteMessage" else "DeleteMessage"
        connection.send(200, response(other))

    def _refuses(self, _: Call, connection: Connection) -> None:
        connection.send(403, "")


@pytest.mark.parametrize("seed", range(5))
def test_done_always_means_gone(journal: Journal, seed: int) -> None:
    """Whatever EMS answers: no message is done while the inbox still has it, and in the end all are."""
    _handle(journal, range(30))
    ems = MoodyInbox([_id(number) for number in range(30)], seed)
    how = DeleteSettings(backoff=0.01, backoff_cap=0.02, refused_pause=0.02, batch=7)
    with Server(ems) as server, _deleting(journal, settings(server.url), how):
        wait_for(lambda: len(server.calls) >= 25 or _all_done(journal, 30)())
        done = [record.notification for record in _records(journal, State.DONE)]
        assert not ems.ids.intersection(message.id for message in done if isinstance(message, MessageReceived))
        ems.moody = False
        wait_for(_all_done(journal, 30))
    assert ems.ids == set()


# -- when EMS refuses --


@pytest.mark.parametrize("count", [1, 20])
def test_a_refusal_stops_the_calls_at_once(journal: Journal, count: int) -> None:
    """One refused call, then silence; nothing stays leased, and it is said aloud."""
    _handle(journal, range(count))
    with (
        capture_logs() as lines,
        InboxService([_EMS]) as ems,
        _deleting(journal, settings(ems.url, secret="wrong"), _SLOW) as deleter,
    ):
        wait_for(lambda: len(_errors(journal)) == count)
        _handle(journal, [1000])
        wait_for(lambda: deleter.paused)
    assert ems.refused_logins == 1
    assert not any(record.leased for record in _records(journal, State.HANDLED))
    [line] = [line for line in lines if line["event"] == "inbox_refused"]
    assert (line["log_level"], line["account"], line["reason"]) == (
        "error",
        _ACCOUNT,
        "SOAP fault, code 2, authentication failed",
    )


def test_a_refused_account_is_tried_with_one_message_until_it_is_accepted(journal: Journal) -> None:
    """The account is set live again: one message finds out, and the rest follows."""
    _handle(journal, range(20))
    with Server(right) as server:
        server.answer = lambda _, connection: connection.send(500, fault(string="Account not live"))
        with capture_logs() as lines, _deleting(journal, settings(server.url)) as deleter:
            wait_for(lambda: len(server.calls) == 3 and deleter.paused)
            server.answer = right
            wait_for(lambda: _all_done(journal, 20)() and not deleter.paused)
    assert [len(call.ids) for call in server.calls[:4]] == [20, 1, 1, 1]
    assert [line["pause_seconds"] for line in lines if line["event"] == "inbox_refused"] == [0.2, 0.4, 0.8]
    assert [line["event"] for line in lines if line["log_level"] == "info"] == ["inbox_accepted_again"]


def test_neither_a_fault_nor_an_outage_ends_the_pause(journal: Journal) -> None:
    """Only an accepted call proves that the account works again; until then it is one message at a time, slowly."""
    times: list[float] = []

    def answer(_: Call, connection: Connection) -> None:
        times.append(time.monotonic())
        match len(server.calls):
            case 1:
                connection.send(401, "")
            case 2:
                connection.send(500, fault())
            case _:
                connection.reset()

    _handle(journal, range(20))
    with Server(right) as server:
        server.answer = answer
        with _deleting(journal, settings(server.url)) as deleter:
            wait_for(lambda: len(server.calls) >= 4)
            assert deleter.paused
    assert [len(call.ids) for call in server.calls] == [20, 1, 1, 1]
    assert all(later - earlier >= _QUICK.refused_pause for earlier, later in pairwise(times))


def test_an_ordered_refusal_of_ems_is_understood(journal: Journal) -> None:
    """Method not enabled, as the simulated EMS says it."""
    _handle(journal, [1])
    with InboxService([_EMS]) as ems:
        ems.mailbox.put(_message(1))
        ems.answer_with_fault(VendorCode.METHOD_NOT_ENABLED)
        with _deleting(journal, settings(ems.url)) as deleter:
            wait_for(lambda: deleter.paused)
            ems.restore()
            wait_for(_all_done(journal, 1))


# -- when the journal fails --


class FailingJournal(Journal):
    """A journal that is out of reach for some calls of one verb."""

    failing: str = ""
    times: int = 0

    def _maybe(self, verb: str) -> None:
        if verb == self.failing and self.times > 0:
            self.times -= 1
            raise JournalUnavailableError("disk full")

    def claim_deletions(self, account: str, limit: int, lease: timedelta = timedelta(minutes=5)) -> list[Claim]:
        self._maybe("claim_deletions")
        return super().claim_deletions(account, limit, lease)

    def next_deletion(self, account: str) -> datetime | None:
        self._maybe("next_deletion")
        return super().next_deletion(account)

    def settle_deleted(self, claims: Sequence[Claim]) -> None:
        self._maybe("settle_deleted")
        super().settle_deleted(claims)

    def settle_delete_failed(self, claims: Sequence[Claim], error: str, retry_at: datetime) -> None:
        self._maybe("settle_delete_failed")
        super().settle_delete_failed(claims, error, retry_at)


@pytest.mark.parametrize("verb", ["next_deletion", "claim_deletions", "settle_deleted", "settle_delete_failed"])
def test_a_journal_out_of_reach_loses_nothing(url: str, verb: str) -> None:
    """Whatever step it fails at, the thread goes on, the outcome is told later, and EMS is not called again for it."""

    def answer(call: Call, connection: Connection) -> None:
        connection.reset() if len(server.calls) == 1 else right(call, connection)

    with FailingJournal(url) as journal, Server(right) as server, capture_logs() as lines:
        _handle(journal, range(5))
        journal.failing, journal.times = verb, 2
        server.answer = answer
        with _deleting(journal, settings(server.url)):
            wait_for(_all_done(journal, 5))
    assert [len(call.ids) for call in server.calls] == [5, 5]
    assert sum(line["event"] == "deletion_waits_for_journal" for line in lines) == 2


def test_an_outcome_that_could_not_be_told_is_deleted_again_without_harm(url: str) -> None:
    """The process ends before the journal is back: the next one finds the message gone, and that is success."""
    with InboxService([_EMS]) as ems:
        ems.mailbox.put(_message(1))
        with FailingJournal(url) as journal:
            _handle(journal, [1])
            journal.failing, journal.times = "settle_deleted", 1000
            with _deleting(journal, settings(ems.url)):
                wait_for(lambda: ems.mailbox.deleted == 1)
            assert len(_records(journal, State.HANDLED)) == 1
        later = datetime.now(UTC) + timedelta(minutes=6)
        with Journal(url, clock=lambda: later) as future:  # the lease has run out
            [claim] = future.claim_deletions(_ACCOUNT, 1)
            future.settle_delete_failed([claim], "given back by the test", datetime.now(UTC))
        with Journal(url) as restarted, _deleting(restarted, settings(ems.url)):
            wait_for(_all_done(restarted, 1))


def test_an_error_that_nobody_foresaw_does_not_end_the_thread(journal: Journal) -> None:
    """It is logged with its trace, and what is handled later is deleted all the same."""

    class BrokenInbox(Inbox):
        def delete(self, ids: Sequence[str]) -> None:
            if _id(1) in ids:
                raise RuntimeError("a bug")
            super().delete(ids)

    _handle(journal, [1])
    with Server(right) as server, capture_logs() as lines:
        inbox = BrokenInbox(_ACCOUNT, settings(server.url))
        deleter = Deleter(_ACCOUNT, inbox, journal, _QUICK)
        deleter.start()
        wait_for(lambda: any(line["event"] == "deletion_broke" for line in lines))
        _handle(journal, [2])
        wait_for(_all_done(journal, 1))
        assert deleter.stop(20)
        inbox.close()


# -- stopping --


def test_stopping_finishes_and_settles_the_call_in_flight(journal: Journal) -> None:
    """What EMS confirms while we stop is done, not deleted again after the next start."""
    go = threading.Event()

    def answer(call: Call, connection: Connection) -> None:
        go.wait(10)
        right(call, connection)

    _handle(journal, range(3))
    with Server(answer) as server:
        inbox = Inbox(_ACCOUNT, settings(server.url))
        deleter = Deleter(_ACCOUNT, inbox, journal, _QUICK)
        deleter.start()
        wait_for(lambda: len(server.calls) == 1)
        assert not deleter.stop(0.05)
        go.set()
        assert deleter.stop(20)
        inbox.close()
    assert _all_done(journal, 3)()


def test_stopping_gives_back_what_was_not_begun(journal: Journal) -> None:
    """Another process can have it at once, and it does not count as an attempt."""
    go = threading.Event()

    def answer(call: Call, connection: Connection) -> None:
        if call.operation == "DeleteMessages":
            connection.send(500, fault(detail="<code>8</code>"))
        else:
            go.wait(10)
            right(call, connection)

    _handle(journal, range(5))
    with Server(answer) as server:
        inbox = Inbox(_ACCOUNT, settings(server.url))
        deleter = Deleter(_ACCOUNT, inbox, journal, _QUICK)
        deleter.start()
        wait_for(lambda: len(server.calls) == 2)
        deleter.stop(0)
        go.set()
        assert deleter.stop(20)
        inbox.close()
    assert _all_done(journal, 1)()
    left = _records(journal, State.HANDLED)
    assert [(record.leased, record.delete_attempts) for record in left] == [(False, 0)] * 4


def test_stopping_does_not_wait_for_a_back_off(journal: Journal) -> None:
    """A pause of minutes does not hold up the end of the program."""
    _handle(journal, [1])
    with Server(lambda _, connection: connection.reset()) as server:
        inbox = Inbox(_ACCOUNT, settings(server.url))
        deleter = Deleter(_ACCOUNT, inbox, journal, _SLOW)
        deleter.start()
        wait_for(lambda: len(_errors(journal)) == 1)
        assert deleter.stop(2)
        inbox.close()


def test_stopping_what_was_never_started_is_nothing(journal: Journal) -> None:
    """A program that fails while it starts stops everything all the same."""
    inbox = Inbox(_ACCOUNT, settings("http://127.0.0.1:9/"))
    assert Deleter(_ACCOUNT, inbox, journal, _QUICK).stop(1)
    inbox.close()


# -- what is told --


def test_no_log_line_and_no_history_holds_a_number_or_a_password(journal: Journal) -> None:
    """Failures are told by code or class, whatever EMS wrote into its fault."""
    text = "No row for 447700900123, password secret-4711"
    _handle(journal, [1])
    with (
        capture_logs() as lines,
        Server(lambda _, connection: connection.send(500, fault(string=text))) as server,
        _deleting(journal, settings(server.url, secret="secret-4711"), _SLOW),
    ):
        wait_for(lambda: len(_errors(journal)) == 1)
    assert [line["event"] for line in lines] == ["delete_failed"]
    told = f"{lines} {_errors(journal)}"
    assert "447700900123" not in told
    assert "4711" not in told
