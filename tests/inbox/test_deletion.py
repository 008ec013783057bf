"""From "handled" to "done", with a real journal and inboxes on real sockets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from soap_handler.ems import CodePlace, InboxService, OutageKind
from soap_handler.journal import Journal, State, Step
from tests.inbox.deleting import EMS, QUICK, SLOW, Gap, all_done, deleting, errors, handle, id_of, message, records
from tests.inbox.servers import Server, fault, right, settings
from tests.support.events import captured_events
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from typing import Literal


# -- when all is well --


def test_a_handled_message_leaves_the_inbox_and_is_done(journal: Journal) -> None:
    """EMS confirms the delete, and the journal says so, with an attempt in the message's history."""
    with InboxService([EMS]) as ems:
        ems.mailbox.put(message(1))
        handle(journal, [1])
        with deleting(journal, settings(ems.url)):
            wait_for(all_done(journal, 1))
        assert ems.mailbox.ids() == []
    [record] = records(journal, State.DONE)
    assert [(attempt.step, attempt.outcome) for attempt in journal.history(record.seq)] == [
        (Step.HANDLE, "ok"),
        (Step.DELETE, "ok"),
    ]


def test_what_waits_is_deleted_in_one_call_up_to_the_batch(journal: Journal) -> None:
    """Twenty-five messages in batches of ten are three calls."""
    handle(journal, range(25))
    with (
        Server(right) as server,
        deleting(journal, settings(server.url), QUICK.model_copy(update={"batch": 10})),
    ):
        wait_for(all_done(journal, 25))
    assert [len(call.ids) for call in server.calls] == [10, 10, 5]
    assert sorted(found for call in server.calls for found in call.ids) == [id_of(number) for number in range(25)]


def test_between_two_calls_the_machine_is_left_to_others_as_long_as_they_need_it(journal: Journal) -> None:
    """A backlog goes batch by batch, with a gap behind each; when the gap is gone, the rest goes at once."""
    handle(journal, range(50))
    admission, begun = Gap(0.2), time.monotonic()
    with (
        Server(right) as server,
        deleting(journal, settings(server.url), QUICK.model_copy(update={"batch": 10}), admission=admission),
    ):
        wait_for(lambda: len(records(journal, State.DONE)) >= 30)
        assert time.monotonic() - begun >= 0.4
        admission.delete_gap = 0.0
        wait_for(all_done(journal, 50))
    assert [len(call.ids) for call in server.calls] == [10] * 5


def test_the_journal_wakes_the_deleter(journal: Journal) -> None:
    """A message that is handled now is deleted now, not at the next look."""
    with Server(right) as server, deleting(journal, settings(server.url), poll_seconds=1000.0):
        for number in range(3):
            handle(journal, [number])
            wait_for(all_done(journal, number + 1))


def test_what_another_process_handled_is_found_too(journal: Journal, url: str) -> None:
    """Nothing wakes us for it; polling finds it."""
    with Journal(url) as other, Server(right) as server, deleting(journal, settings(server.url)):
        handle(other, [1])
        wait_for(all_done(journal, 1))


def test_only_the_accounts_own_messages_are_touched(journal: Journal) -> None:
    """Each account has an inbox of its own."""
    handle(journal, [1])
    handle(journal, [2], account="EX0054321")
    with Server(right) as server, deleting(journal, settings(server.url)):
        wait_for(all_done(journal, 1))
    assert [call.ids for call in server.calls] == [[id_of(1)]]


def test_one_slow_inbox_holds_up_no_other(journal: Journal) -> None:
    """An account whose inbox says nothing does not keep another account waiting."""
    handle(journal, [1])
    handle(journal, [2], account="EX0054321")
    with (
        Server(lambda _, connection: connection.say_nothing()) as slow,
        Server(right) as quick,
        deleting(journal, settings(slow.url, timeout=2)),
    ):
        wait_for(lambda: len(slow.calls) == 1)
        with deleting(journal, settings(quick.url), account="EX0054321"):
            wait_for(all_done(journal, 1), seconds=1.5)


# -- already gone --


@pytest.mark.parametrize("place", list(CodePlace))
@pytest.mark.parametrize("unknown_ids", ["ignore", "fault"])
@pytest.mark.parametrize("count", [1, 3])
def test_already_gone_is_a_success(
    journal: Journal, place: CodePlace, unknown_ids: Literal["ignore", "fault"], count: int
) -> None:
    """A person deleted the messages, or our own delete whose answer was lost."""
    handle(journal, range(count))
    with (
        InboxService([EMS], code_place=place, unknown_ids=unknown_ids) as ems,
        deleting(journal, settings(ems.url), SLOW),
    ):
        if count > 1:
            ems.mailbox.put(message(0))
        wait_for(all_done(journal, count))
        assert ems.mailbox.ids() == []
    assert errors(journal) == [None] * count


def test_a_lost_answer_is_made_good(journal: Journal) -> None:
    """EMS deleted, but its answer never came: the second delete finds nothing, and that is success."""
    handle(journal, [1])
    with InboxService([EMS]) as ems:
        ems.mailbox.put(message(1))
        ems.outage(OutageKind.LOST_ANSWER, calls=1)
        with deleting(journal, settings(ems.url)):
            wait_for(all_done(journal, 1))
        assert ems.mailbox.deleted == 1
    assert len(errors(journal)) == 2


# -- what is told --


def test_no_log_line_and_no_history_holds_a_number_or_a_password(journal: Journal) -> None:
    """Failures are told by code or class, whatever EMS wrote into its fault."""
    text = "No row for 447700900123, password secret-4711"
    handle(journal, [1])
    with (
        captured_events() as lines,
        Server(lambda _, connection: connection.send(500, fault(string=text))) as server,
        deleting(journal, settings(server.url, secret="secret-4711"), SLOW),
    ):
        wait_for(lambda: len(errors(journal)) == 1)
    assert [line["event"] for line in lines] == ["delete_failed"]
    told = f"{lines} {errors(journal)}"
    assert "447700900123" not in told
    assert "4711" not in told
