"""One run of the inbox against the journal, against a simulated EMS over real sockets."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from soap_handler.contract import NAMESPACE
from soap_handler.errors import InboxRefusedError, InboxUnavailableError, JournalUnavailableError
from soap_handler.inbox.reconciler import STOPPED
from soap_handler.journal import Beginning, Entry, Journal, Settlement, Source, State, Step, Tally
from soap_handler.notifications import MessageReceived
from tests.inbox.reconcile.reconciling import REFERENCE, beside, message, reconciling, records, run, states, store
from tests.inbox.servers import Server, always, envelope
from tests.support.events import captured_events

if TYPE_CHECKING:
    from soap_handler.ems import InboxService


START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def listed(*messages: str) -> str:
    result = f"<GetMessagesResult>{''.join(messages)}</GetMessagesResult>"
    return envelope(f'<GetMessagesResponse xmlns="{NAMESPACE}">{result}</GetMessagesResponse>')


# -- the rules --


def test_what_the_journal_does_not_know_is_recovered(journal: Journal, ems: InboxService) -> None:
    """It is journaled as received, from the inbox, with all that it says, and told of as a warning."""
    for number in range(3):
        ems.mailbox.put(message(number, "page one\x0cpage two\x1b"))
    with captured_events() as lines:
        assert run(journal, ems.url).tally == Tally(inbox=3, recovered=3)
    found = records(journal)
    assert [(record.state, record.source, record.leased) for record in found] == [
        (State.RECEIVED, Source.INBOX, False)
    ] * 3
    told = [record.notification for record in found]
    assert [(one.id, one.body) for one in told if isinstance(one, MessageReceived)] == [
        (message(number).id, "page one\x0cpage two\x1b") for number in range(3)
    ]
    warnings = [line for line in lines if line["event"] == "message_recovered"]
    assert [(line["log_level"], line["key"]) for line in warnings] == [("warning", record.key) for record in found]
    assert "447700900123" not in str(lines)


def test_a_recovered_message_is_the_pushed_one(journal: Journal, ems: InboxService) -> None:
    """Key and content are equal whichever way it came, but for the case of the id and what was mended."""
    told = message(1)
    ems.mailbox.put(MessageReceived(account=REFERENCE, id="ABCDEF00-0000-0000-0000-00000000000A"))
    ems.mailbox.put(told)
    run(journal, ems.url)
    assert records(journal)[0].notification == told, "the other one has no time, so it comes last"
    assert records(journal)[1].key == f"{REFERENCE}/MessageReceived/abcdef00-0000-0000-0000-00000000000a"


@pytest.mark.parametrize("spelt", ["{{{}}}", "({})", "urn:uuid:{}", "\n {} "])
def test_an_inbox_copy_whose_id_is_written_otherwise_is_the_pushed_message(journal: Journal, spelt: str) -> None:
    """Else its handler would run once for the push and once for the copy."""
    told = store(journal, 1, State.HANDLED)
    copies = [f"<message><id>{spelt.format(each)}</id></message>" for each in (told.id, told.id.upper())]
    short = f"<message><id>{told.id.replace('-', '')}</id></message>"
    with Server(always(200, listed(*copies, short))) as server:
        assert run(journal, server.url).tally == Tally(inbox=3, left_alone=3)
    assert [record.key for record in records(journal)] == [told.key]


def test_messages_without_times_and_guids_are_told_apart(journal: Journal) -> None:
    """Their key is a digest of each as it came: two of them are two, and the same list again brings nothing new."""
    told = listed(*[f"<message><id>{number}</id></message>" for number in range(3)])
    with Server(always(200, told)) as server:
        assert run(journal, server.url).tally.recovered == 3
        assert run(journal, server.url).tally.recovered == 0
    assert len({record.key for record in records(journal)}) == 3


@pytest.mark.parametrize("order", [(2, 0, 1), (2, 1, 0)])
def test_missed_messages_are_stored_in_the_order_in_which_ems_received_them(
    journal: Journal, ems: InboxService, order: tuple[int, ...]
) -> None:
    """Whatever the order of the list: so those of one originator are handled one after the other as they came."""
    for number in order:
        ems.mailbox.put(replace(message(number), received_at=START + timedelta(minutes=number)))
    ems.mailbox.put(replace(message(9), received_at=None))
    run(journal, ems.url)
    handled = []
    while claims := journal.claim(9, timedelta(minutes=1), in_order=True):
        handled += [claim.notification for claim in claims]
        now = datetime.now(UTC)
        journal.settle([Settlement(claim, Step.HANDLE, State.DONE, None, now, now) for claim in claims])
    assert [getattr(told, "id", "") for told in handled] == [message(number).id for number in (0, 1, 2, 9)]


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_order_holds_across_the_parts_of_a_long_list(
    journal: Journal, ems: InboxService, *, newest_first: bool
) -> None:
    """The last part of a list may hold what came first; of equal times the one that was listed first is first."""
    moments = [(number // 2) * 30 for number in range(47)]
    there = [(number, START + timedelta(seconds=second)) for number, second in enumerate(moments)]
    for number, moment in sorted(there, key=itemgetter(1), reverse=newest_first):
        ems.mailbox.put(replace(message(number), received_at=moment))
    result = run(journal, ems.url, chunk=5)
    assert result.tally == Tally(inbox=47, recovered=47)
    stored = [(getattr(record.notification, "id", ""), record.notification) for record in records(journal)]
    assert [told for told, _ in stored] == [message(number).id for number in range(47)]


def test_what_is_done_and_still_there_is_deleted_again(journal: Journal, ems: InboxService) -> None:
    """It is due for the deleter at once, and for no handler."""
    ems.mailbox.put(store(journal, 1, State.DONE))
    assert run(journal, ems.url).tally == Tally(inbox=1, deleted_again=1)
    [record] = records(journal)
    assert (record.state, record.done_at) == (State.HANDLED, None)
    assert journal.claim(1, timedelta(minutes=1)) == []
    [claim] = journal.claim_deletions(REFERENCE, 10)
    assert claim.key == record.key


@pytest.mark.parametrize("state", [State.RECEIVED, State.HANDLED, State.DEAD])
def test_what_is_in_good_hands_is_left_alone(journal: Journal, ems: InboxService, state: State) -> None:
    """Waiting, handled or dead: not a column of its row changes."""
    ems.mailbox.put(store(journal, 1, state))
    before = records(journal)
    assert run(journal, ems.url).tally == Tally(inbox=1, left_alone=1)
    assert records(journal) == before


def test_what_is_being_handled_is_left_alone(journal: Journal, ems: InboxService) -> None:
    """A lease is not disturbed, of a handler or of a delete."""
    ems.mailbox.put(store(journal, 1, State.HANDLED))
    assert journal.claim_deletions(REFERENCE, 1)
    ems.mailbox.put(store(journal, 2, State.RECEIVED))
    assert journal.claim(1, timedelta(minutes=1))
    before = records(journal)
    assert run(journal, ems.url).tally == Tally(inbox=2, left_alone=2)
    assert records(journal) == before


def test_what_was_done_while_the_list_came_is_left_alone(journal: Journal, ems: InboxService) -> None:
    """The list was written before our own delete; to delete it again would be a call for nothing."""
    ems.mailbox.put(store(journal, 1, State.DONE))
    [record] = records(journal)
    assert record.done_at is not None
    with reconciling(journal, ems.url, now=lambda: record.done_at or record.received_at) as reconciler:
        result = reconciler.run(Beginning(REFERENCE, datetime.now(UTC)))
    assert result is not None
    assert result.tally == Tally(inbox=1, left_alone=1)
    assert records(journal) == [record]


def test_what_is_gone_from_the_inbox_is_left_alone(journal: Journal, ems: InboxService) -> None:
    """Rows whose message is not in the list are not looked at."""
    for number, state in enumerate(State):
        store(journal, number, state)
    before = records(journal)
    assert run(journal, ems.url).tally == Tally()
    assert records(journal) == before


def test_other_accounts_are_other_messages(journal: Journal, ems: InboxService) -> None:
    """The same id in another account is not this message."""
    journal.record(Entry(MessageReceived(account="EX0000009", id=message(1).id), datetime.now(UTC)))
    ems.mailbox.put(message(1))
    assert run(journal, ems.url).tally.recovered == 1


def test_a_second_run_finds_everything_known(journal: Journal, ems: InboxService) -> None:
    """Recovering is done once."""
    for number in range(5):
        ems.mailbox.put(message(number))
    run(journal, ems.url)
    assert run(journal, ems.url).tally == Tally(inbox=5, left_alone=5)


# -- what is odd --


@pytest.mark.parametrize("number", ["", "00000000-0000-0000-0000-000000000000", "x" * 65])
def test_a_message_without_a_usable_id_is_recovered_once(journal: Journal, url: str, number: str) -> None:
    """Its content is its key; as it cannot be deleted, it is left alone from then on, also when it is done."""
    odd = f"<message><id>{number}</id><originator>447700900123</originator><body>Yes</body></message>"
    with Server(always(200, listed(odd, odd))) as server:
        assert run(journal, server.url).tally == Tally(inbox=2, recovered=1, left_alone=1)
        with Journal(url) as elsewhere:
            [claim] = elsewhere.claim(5, timedelta(minutes=1))
            elsewhere.settle_deleted([claim])
        assert claim.message_id is None
        assert run(journal, server.url).tally == Tally(inbox=2, left_alone=2)


def test_an_unreadable_message_is_counted_and_told_of(journal: Journal) -> None:
    """The others are recovered; what it says is not in the log."""
    broken = "<message><id>447700900123</message>"
    good = [f"<message><id>{number}</id></message>" for number in (1, 2)]
    with captured_events() as lines, Server(always(200, listed(good[0], broken, good[1]))) as server:
        assert run(journal, server.url).tally == Tally(inbox=3, recovered=2, unreadable=1)
    [told] = [line for line in lines if line["event"] == "message_unreadable"]
    assert told == {
        "event": "message_unreadable",
        "log_level": "error",
        "account": REFERENCE,
        "reason": "not well-formed XML",
    }
    [record] = journal.reconciliations()
    assert record.error is None


def test_a_mended_message_is_marked_and_kept_as_it_came(journal: Journal, url: str) -> None:
    """As a push is."""
    odd = "<message><id>1</id><body>a&#1;b</body><sentat>soon</sentat></message>"
    with Server(always(200, listed(odd))) as server:
        run(journal, server.url)
    [record] = records(journal)
    assert isinstance(record.notification, MessageReceived)
    assert record.notification.body == "a\x01b"
    assert record.notification.original == {"sent_at": "soon"}
    assert record.notification.repaired[:2] == ("control character", "type missing")
    with beside(url) as connection:
        [(kept,)] = connection.exec_driver_sql("SELECT envelope FROM notification").all()
    assert kept == odd.encode()


def test_messages_without_a_sound_id_whose_values_are_unreadable_are_two(journal: Journal, url: str) -> None:
    """Their XML is sound, so only their values say that they are to be told apart by their bytes; these are kept."""
    odd = [f"<message><id>1</id><body>Yes</body><sentat>{text}</sentat></message>" for text in ("soon", "later")]
    with Server(always(200, listed(*odd))) as server:
        assert run(journal, server.url).tally == Tally(inbox=2, recovered=2)
        assert run(journal, server.url).tally == Tally(inbox=2, left_alone=2)
    with beside(url) as connection:
        kept = connection.exec_driver_sql("SELECT envelope FROM notification").scalars().all()
    assert sorted(kept) == sorted(each.encode() for each in odd)


# -- records --


def test_each_run_leaves_a_record(journal: Journal, ems: InboxService) -> None:
    """What was found adds up: N = K + R + U, and K = D + L."""
    for number, state in enumerate(State):
        ems.mailbox.put(store(journal, number, state))
    ems.mailbox.put(message(99))
    before = datetime.now(UTC)
    run(journal, ems.url)
    [record] = journal.reconciliations()
    assert record.ended_at is not None
    assert before <= record.started_at <= record.ended_at <= datetime.now(UTC)
    assert (record.account, record.error) == (REFERENCE, None)
    tally = record.tally
    assert tally == Tally(inbox=5, recovered=1, deleted_again=1, left_alone=3)
    assert tally.inbox == tally.known + tally.recovered + tally.unreadable
    assert tally.known == 4


def test_a_run_that_fails_leaves_a_record_too(journal: Journal, ems: InboxService) -> None:
    """With what was done before, and the error, without the account's password or any caller's text."""
    ems.answer_with_fault(16)
    result = run(journal, ems.url)
    assert isinstance(result.error, InboxRefusedError)
    [record] = journal.reconciliations()
    assert record.error == "SOAP fault, code 16, not authorised"
    assert record.ended_at is not None


def test_what_came_before_a_break_is_recovered(journal: Journal) -> None:
    """A list that breaks off has told of messages all the same."""
    answer = listed(*[f"<message><id>{number}</id></message>" for number in range(10)])
    with Server(always(200, answer[: answer.index("<id>7")])) as server:
        result = run(journal, server.url)
    assert isinstance(result.error, InboxUnavailableError)
    assert result.tally == Tally(inbox=7, recovered=7)
    [record] = journal.reconciliations()
    assert (record.tally, record.error) == (result.tally, str(result.error))


def test_a_run_that_is_told_to_stop_stops_between_chunks(journal: Journal, ems: InboxService) -> None:
    """What was begun is finished, and the record says that it was not all."""
    for number in range(25):
        ems.mailbox.put(message(number))
    answers = iter([False, True])
    result = run(journal, ems.url, stopping=lambda: next(answers), chunk=10)
    assert (result.stopped, result.tally) == (True, Tally(inbox=10, recovered=10))
    [record] = journal.reconciliations()
    assert (record.tally.inbox, record.error) == (10, STOPPED)


def test_a_dry_run_writes_nothing(journal: Journal, ems: InboxService) -> None:
    """It counts the same, and leaves not even a record."""
    for number, state in enumerate(State):
        ems.mailbox.put(store(journal, number, state))
    ems.mailbox.put(message(99))
    before = states(journal), records(journal)
    with reconciling(journal, ems.url) as reconciler:
        rehearsed = reconciler.rehearse()
    assert (states(journal), records(journal)) == before
    assert journal.reconciliations() == []
    assert rehearsed.tally == run(journal, ems.url).tally


def test_a_journal_that_is_out_of_reach_is_an_error_and_no_crash(journal: Journal, url: str, ems: InboxService) -> None:
    """What was not committed is not counted; the next run finds it."""
    ems.mailbox.put(message(1))
    with reconciling(journal, ems.url) as reconciler:
        with beside(url) as connection:
            connection.exec_driver_sql("ALTER TABLE notification RENAME TO elsewhere")
        result = reconciler.run(Beginning(REFERENCE, datetime.now(UTC)))
    assert result is not None
    assert isinstance(result.error, JournalUnavailableError)
    assert result.tally == Tally()
    [record] = journal.reconciliations()
    assert record.error == str(result.error)


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    there=st.lists(st.sampled_from([*State, None]), max_size=12),
    gone=st.sets(st.integers(0, 11)),
    chunk=st.integers(1, 5),
)
def test_any_mixture_adds_up(
    tmp_path_factory: pytest.TempPathFactory, there: list[State | None], gone: set[int], chunk: int
) -> None:
    """Whatever the journal knows of whatever the inbox holds, each message has the state that its rule says."""
    expected = {None: State.RECEIVED, State.DONE: State.HANDLED}
    with Journal(f"sqlite:///{tmp_path_factory.mktemp('any') / 'journal.db'}") as journal:
        shown = []
        for number, state in enumerate(there):
            told = message(number) if state is None else store(journal, number, state)
            if number not in gone:
                shown.append(f"<message><id>{told.id.upper()}</id></message>")
        with Server(always(200, listed(*shown))) as server:
            tally = run(journal, server.url, chunk=chunk).tally
        found = states(journal)
    in_inbox = [state for number, state in enumerate(there) if number not in gone]
    assert tally == Tally(
        inbox=len(in_inbox),
        recovered=in_inbox.count(None),
        deleted_again=in_inbox.count(State.DONE),
        left_alone=len(in_inbox) - in_inbox.count(None) - in_inbox.count(State.DONE),
    )
    for number, state in enumerate(there):
        after = found.get(message(number).id)
        assert after == (state if number in gone else expected.get(state, state))


# -- at the same instant --


def test_a_push_and_an_inbox_copy_at_one_instant_are_one_notification(journal: Journal, ems: InboxService) -> None:
    """Whichever is committed first; the other one changes nothing."""
    for number in range(300):
        ems.mailbox.put(message(number))
    go = threading.Barrier(3)
    new: list[bool] = []
    recovered: list[int] = []

    def push(numbers: range) -> None:
        go.wait(10)
        new.extend(journal.record(Entry(message(number), datetime.now(UTC))) for number in numbers)

    def look() -> None:
        go.wait(10)
        recovered.extend(run(journal, ems.url).tally.recovered for _ in range(3))

    threads = [
        threading.Thread(target=push, args=(range(0, 300, 2),)),
        threading.Thread(target=push, args=(range(299, 0, -2),)),
        threading.Thread(target=look),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(new) + sum(recovered) == 300
    assert len(records(journal)) == 300
