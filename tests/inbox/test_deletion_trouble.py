"""Deleting while the inbox, EMS or the journal fails: nothing is lost, and EMS is not pestered."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from soap_handler.ems import InboxService, OutageKind, VendorCode
from soap_handler.errors import JournalUnavailableError
from soap_handler.inbox import Inbox
from soap_handler.journal import Journal, State
from soap_handler.notifications import MessageReceived
from soap_handler.settings import DeleteSettings
from tests.inbox.deleting import ACCOUNT, EMS, QUICK, SLOW, all_done, deleting, errors, handle, id_of, message, records
from tests.inbox.servers import Call, Connection, Server, fault, response, right, settings
from tests.support.events import captured_events
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from soap_handler.journal import Claim

# -- when the inbox fails --


@pytest.mark.parametrize(
    "kind", [OutageKind.SERVER_ERROR, OutageKind.RESET, OutageKind.HTML, OutageKind.EMPTY, OutageKind.TIMEOUT]
)
def test_after_an_outage_everything_is_deleted(journal: Journal, kind: OutageKind) -> None:
    """Deletes wait for the inbox for as long as it takes; no handler runs again for it."""
    handle(journal, range(5))
    with InboxService([EMS]) as ems:
        for number in range(5):
            ems.mailbox.put(message(number))
        ems.outage(kind)
        with deleting(journal, settings(ems.url, timeout=0.3 if kind is OutageKind.TIMEOUT else 5.0)):
            wait_for(lambda: len(errors(journal)) >= 10)
            assert len(records(journal, State.HANDLED)) == 5
            ems.restore()
            wait_for(all_done(journal, 5))
        assert ems.mailbox.ids() == []
    assert {record.attempts for record in records(journal, State.DONE)} == {1}


def test_a_batch_that_fails_in_transport_is_not_tried_one_by_one(journal: Journal) -> None:
    """No hundred timeouts in a row: one failed call fails them all, and they are due again later."""
    handle(journal, range(50))
    with Server(lambda _, connection: connection.reset()) as server, deleting(journal, settings(server.url), SLOW):
        wait_for(lambda: len(errors(journal)) == 50)
    assert len(server.calls) == 1
    assert not any(record.leased for record in records(journal, State.HANDLED))


def test_while_the_inbox_is_down_new_messages_wait_with_the_others(journal: Journal) -> None:
    """A message that was handled just now has no better chance than those that failed."""
    handle(journal, [1])
    with Server(lambda _, connection: connection.reset()) as server, deleting(journal, settings(server.url), SLOW):
        wait_for(lambda: len(errors(journal)) == 1)
        for number in range(2, 6):
            handle(journal, [number])
    assert len(server.calls) == 1


def test_a_transport_failure_among_single_calls_fails_the_rest(journal: Journal) -> None:
    """The batch was refused as a whole, then the inbox went away: one more connection, no timeout for each message."""

    def answer(call: Call, connection: Connection) -> None:
        connection.send(500, fault()) if call.operation == "DeleteMessages" else connection.reset()

    handle(journal, range(20))
    with Server(answer) as server, deleting(journal, settings(server.url), SLOW):
        wait_for(lambda: len(errors(journal)) == 20)
    assert [call.operation for call in server.calls] == ["DeleteMessages", "DeleteMessage", "DeleteMessage"]


def test_one_message_that_spoils_the_batch_holds_up_no_other(journal: Journal) -> None:
    """EMS does not like one id: the others are deleted one by one, and that one is tried again later."""

    def answer(call: Call, connection: Connection) -> None:
        connection.send(500, fault(detail="<code>11</code>")) if id_of(3) in call.ids else right(call, connection)

    handle(journal, range(10))
    with Server(answer) as server, deleting(journal, settings(server.url)):
        wait_for(all_done(journal, 9))
        wait_for(lambda: len(errors(journal)) >= 9 + 3)
    [left] = records(journal, State.HANDLED)
    assert left.notification == message(3)
    assert set(errors(journal)) == {None, "SOAP fault, code 11"}


def test_three_faults_in_a_row_concern_the_inbox(journal: Journal) -> None:
    """An inbox that answers everything with a fault is not asked about each of a hundred messages."""
    handle(journal, range(100))
    with (
        Server(lambda _, connection: connection.send(500, fault())) as server,
        deleting(journal, settings(server.url), SLOW),
    ):
        wait_for(lambda: len(errors(journal)) == 3)
        wait_for(lambda: not any(record.leased for record in records(journal, State.HANDLED)))
    assert [call.operation for call in server.calls] == ["DeleteMessages"] + ["DeleteMessage"] * 3
    assert sorted(record.delete_attempts for record in records(journal, State.HANDLED)) == [0] * 97 + [1] * 3


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
    handle(journal, range(30))
    ems = MoodyInbox([id_of(number) for number in range(30)], seed)
    how = DeleteSettings(backoff=0.01, backoff_cap=0.02, refused_backoff=0.02, batch=7)
    with Server(ems) as server, deleting(journal, settings(server.url), how):
        wait_for(lambda: len(server.calls) >= 25 or all_done(journal, 30)())
        done = [record.notification for record in records(journal, State.DONE)]
        assert not ems.ids.intersection(message.id for message in done if isinstance(message, MessageReceived))
        ems.moody = False
        wait_for(all_done(journal, 30))
    assert ems.ids == set()


# -- when EMS refuses --


@pytest.mark.parametrize("count", [1, 20])
def test_a_refusal_stops_the_calls_at_once(journal: Journal, count: int) -> None:
    """One refused call, then silence; nothing stays leased, and it is said aloud."""
    handle(journal, range(count))
    with (
        captured_events() as lines,
        InboxService([EMS]) as ems,
        deleting(journal, settings(ems.url, secret="wrong"), SLOW) as deleter,
    ):
        wait_for(lambda: len(errors(journal)) == count)
        handle(journal, [1000])
        wait_for(lambda: deleter.login_refused)
    assert ems.refused_logins == 1
    assert not any(record.leased for record in records(journal, State.HANDLED))
    [line] = [line for line in lines if line["event"] == "inbox_refused"]
    assert (line["log_level"], line["account"], line["reason"]) == (
        "error",
        ACCOUNT,
        "SOAP fault, code 2, authentication failed",
    )


def test_a_refused_account_is_tried_with_one_message_until_it_is_accepted(journal: Journal) -> None:
    """The account is set live again: one message finds out, and the rest follows."""
    handle(journal, range(20))
    with Server(right) as server:
        server.answer = lambda _, connection: connection.send(500, fault(string="Account not live"))
        with captured_events() as lines, deleting(journal, settings(server.url)) as deleter:
            wait_for(lambda: len(server.calls) == 3 and deleter.login_refused)
            server.answer = right
            wait_for(lambda: all_done(journal, 20)() and not deleter.login_refused)
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
                connection.send(503, "")

    handle(journal, range(20))
    with Server(right) as server:
        server.answer = answer
        with deleting(journal, settings(server.url)) as deleter:
            wait_for(lambda: len(server.calls) >= 4)
            assert deleter.login_refused
    assert [len(call.ids) for call in server.calls] == [20, 1, 1, 1]
    assert all(later - earlier >= QUICK.refused_backoff for earlier, later in pairwise(times))


def test_an_ordered_refusal_of_ems_is_understood(journal: Journal) -> None:
    """Method not enabled, as the simulated EMS says it."""
    handle(journal, [1])
    with InboxService([EMS]) as ems:
        ems.mailbox.put(message(1))
        ems.answer_with_fault(VendorCode.METHOD_NOT_ENABLED)
        with deleting(journal, settings(ems.url)) as deleter:
            wait_for(lambda: deleter.login_refused)
            ems.restore()
            wait_for(all_done(journal, 1))


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

    def next_deletions(self) -> dict[str, datetime]:
        self._maybe("next_deletions")
        return super().next_deletions()

    def settle_deleted(self, claims: Sequence[Claim]) -> None:
        self._maybe("settle_deleted")
        super().settle_deleted(claims)

    def settle_delete_failed(self, claims: Sequence[Claim], error: str, retry_at: datetime) -> None:
        self._maybe("settle_delete_failed")
        super().settle_delete_failed(claims, error, retry_at)


@pytest.mark.parametrize("verb", ["next_deletions", "claim_deletions", "settle_deleted", "settle_delete_failed"])
def test_a_journal_out_of_reach_loses_nothing(url: str, verb: str) -> None:
    """Whatever step it fails at, the thread goes on, the outcome is told later, and EMS is not called again for it."""

    def answer(call: Call, connection: Connection) -> None:
        connection.reset() if len(server.calls) == 1 else right(call, connection)

    with FailingJournal(url) as journal, Server(right) as server, captured_events() as lines:
        handle(journal, range(5))
        journal.failing, journal.times = verb, 2
        server.answer = answer
        with deleting(journal, settings(server.url)):
            wait_for(all_done(journal, 5))
    assert [len(call.ids) for call in server.calls] == [5, 5]
    assert sum(line["event"] == "deletion_waits_for_journal" for line in lines) == 1, "said once a minute"


def test_an_outcome_that_could_not_be_told_is_deleted_again_without_harm(url: str) -> None:
    """The process ends before the journal is back: the next one finds the message gone, and that is success."""
    with InboxService([EMS]) as ems:
        ems.mailbox.put(message(1))
        with FailingJournal(url) as journal:
            handle(journal, [1])
            journal.failing, journal.times = "settle_deleted", 1000
            with deleting(journal, settings(ems.url)):
                wait_for(lambda: ems.mailbox.deleted == 1)
            assert len(records(journal, State.HANDLED)) == 1
        later = datetime.now(UTC) + timedelta(minutes=6)
        with Journal(url, clock=lambda: later) as future:  # the lease has run out
            [claim] = future.claim_deletions(ACCOUNT, 1)
            future.settle_delete_failed([claim], "given back by the test", datetime.now(UTC))
        with Journal(url) as restarted, deleting(restarted, settings(ems.url)):
            wait_for(all_done(restarted, 1))


def test_an_error_that_was_not_foreseen_does_not_end_deleting(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged with its trace, and what is handled later is deleted all the same."""

    class BrokenInbox(Inbox):
        def delete(self, ids: Sequence[str]) -> None:
            if id_of(1) in ids:
                raise RuntimeError("a bug")
            super().delete(ids)

    handle(journal, [1])
    monkeypatch.setattr("soap_handler.inbox.deleter.Inbox", BrokenInbox)
    with Server(right) as server, captured_events() as lines, deleting(journal, settings(server.url)):
        wait_for(lambda: any(line["event"] == "deletion_broke" for line in lines))
        handle(journal, [2])
        wait_for(all_done(journal, 1))
