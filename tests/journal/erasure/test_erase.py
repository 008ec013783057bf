"""Erasing a number: nothing of it is left in any row or file, and the rest is as it was."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from soap_handler.journal import Beginning, Entry, Erasure, Journal, Selection, State, Tally, Trace, Wiped
from soap_handler.notifications import Kind, MessageError, MessageReceived, SubscriptionEvent
from tests.journal.entries import LEASE, START, Clock, ended, message, only

if TYPE_CHECKING:
    from soap_handler.notifications import Notification

ACCOUNT = "EX0000001"
NUMBER = "447700900123"
OTHER = "447700900999"
INBOXES = (ACCOUNT,)


def text_of(number: int, body: str = "Hello", originator: str = NUMBER, **more: Any) -> MessageReceived:
    told = message(number, originator=originator)
    return MessageReceived(**{"account": ACCOUNT, "id": told.id, "originator": originator, "body": body, **more})


def store(journal: Journal, told: Notification, envelope: bytes | None = None) -> None:
    assert journal.record(Entry(told, START, envelope=envelope))


def dump(url: str) -> str:
    """Return everything that the tables hold."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = [
            list(connection.execute(text(f"SELECT * FROM {table}")))  # noqa: S608 - tables of ours
            for table in ("notification", "attempt", "reconciliation")
        ]
    engine.dispose()
    return str(rows)


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    ["447700900123", "+447700900123", "00447700900123", "+44 7700 900123", "+44 (0)7700-900.123", " 447700900123 "],
)
def test_a_number_is_recognised_however_it_is_written(written: str) -> None:
    """As a whole text and within one."""
    for trace in (Trace(NUMBER), Trace(written)):
        assert trace.is_meant(written)
        assert trace.is_in(f"call {written}, please")
        assert trace.without(f"call {written.strip()}, please") == "call [erased], please"


@pytest.mark.parametrize(
    "other", ["4477009001234", "1447700900123", "07700900123", "44770090012", "x", "", "447700900124"]
)
def test_another_number_is_another(other: str) -> None:
    """Also one that contains it, and the national form, which may be anybody's."""
    trace = Trace(NUMBER)
    assert not trace.is_meant(other)
    assert trace.without(f"call {other}!") == f"call {other}!"


@pytest.mark.parametrize("name", ["SHOP", "80800"])
def test_names_and_short_codes_are_meant_only_as_they_are(name: str) -> None:
    """They are not looked for in other texts, where they may be words and amounts."""
    trace = Trace(name)
    assert trace.is_meant(name)
    assert not trace.is_meant(name.lower() + "x")
    assert trace.without(f"the {name} again") == f"the {name} again"


def test_a_blank_is_no_number() -> None:
    """It would be everybody's."""
    with pytest.raises(ValueError, match="expected a phone number"):
        Trace(" ")


@settings(max_examples=200)
@given(before=st.text(), after=st.text(), written=st.sampled_from([NUMBER, "+44 7700 900123", "0044-7700-900123"]))
def test_no_text_hides_a_number(before: str, after: str, written: str) -> None:
    """Unless it stands between more digits it is found, and what is left has none."""
    whole = f"{before} |{written}| {after}"
    assert "[erased]" in Trace(NUMBER).without(whole)
    assert not Trace(NUMBER).is_in(Trace(NUMBER).without(whole))


# -- rows about the number ---------------------------------------------------------------------------------------------


def test_a_message_from_the_number_becomes_a_tombstone(journal: Journal, url: str) -> None:
    """It says nothing more, but is still known, so that a copy is a duplicate."""
    told = text_of(1, "my secret", sent_at=START)
    store(journal, told, b"<originator>447700900123</originator>")
    (claim,) = journal.claim(1, LEASE)
    journal.settle([ended(claim, State.DONE, error="ValueError: +447700900123 said my secret")])
    assert journal.erasures.rehearse(Trace(NUMBER)) == Erasure(notifications=1, attempts=1)
    assert journal.erasures.erase(Trace("+44 7700 900123"), None, INBOXES) == Erasure(notifications=1, attempts=1)
    record = only(journal)
    assert (record.key, record.state, record.originator) == (told.key, State.DONE, None)
    assert record.notification == MessageReceived(account=ACCOUNT, id=told.id)
    assert not journal.record(Entry(told, START)), "a copy is a duplicate"
    assert journal.known([told.key])[told.key].has_id
    assert "secret" not in dump(url)
    assert NUMBER not in dump(url)
    assert not journal.erasures.erase(Trace(NUMBER), None, INBOXES), "once is enough"


@pytest.mark.parametrize("state", [State.RECEIVED, State.DEAD, State.HANDLED])
def test_what_was_not_done_still_leaves_the_inbox(journal: Journal, clock: Clock, state: State) -> None:
    """It is not handled any more, and deleted as a handled one is."""
    store(journal, text_of(1))
    if state is not State.RECEIVED:
        (claim,) = journal.claim(1, LEASE)
        journal.settle([ended(claim, state, START if state is State.HANDLED else None)])
    waiting = int(state is State.RECEIVED)
    assert journal.erasures.erase(Trace(NUMBER), None, INBOXES) == Erasure(1, waiting)
    clock.forward(1)
    assert journal.claim(9, LEASE) == []
    (deletion,) = journal.claim_deletions(ACCOUNT, 9)
    assert deletion.message_id == text_of(1).id
    journal.settle_deleted([deletion])
    assert only(journal).state is State.DONE


def test_what_is_in_no_inbox_is_done(journal: Journal) -> None:
    """Where no inbox is configured, and for what has no id to delete it by."""
    store(journal, text_of(1))
    store(journal, text_of(2, id=""))
    store(journal, SubscriptionEvent(account=ACCOUNT, mobile_number=f"+{NUMBER}", contact_id="c"))
    assert journal.erasures.erase(Trace(NUMBER)).notifications == 3
    assert {record.state for record in journal.records(Selection())} == {State.DONE}


NO_ID: Final = {
    "a subscription": SubscriptionEvent(account=ACCOUNT, mobile_number=NUMBER, contact_id="c", occurred_at=START),
    "a message": text_of(1, id="", body="subscriber"),
    "an error": MessageError(account=ACCOUNT, id="", occurred_at=START, detail=f"{NUMBER}: subscriber"),
    "what was not read in full": SubscriptionEvent(account=ACCOUNT, mobile_number=NUMBER, digest="0a" * 16),
    "a message in doubt": text_of(2, digest="0a" * 16, body="subscriber"),
}


@pytest.mark.parametrize("told", NO_ID.values(), ids=NO_ID.keys())
def test_a_key_that_is_a_digest_still_tells_a_copy(journal: Journal, url: str, told: Notification) -> None:
    """The digest shows nothing of the content; without it, the next push would be handled, and stored whole."""
    store(journal, told, envelope=b"kept")
    before = only(journal)
    assert journal.erasures.erase(Trace(NUMBER))
    assert not journal.record(Entry(told, START, envelope=b"kept")), "a copy is a duplicate"
    after = only(journal)
    assert after.key == before.key
    assert NUMBER not in dump(url)


def test_an_id_that_holds_the_number_goes_too(journal: Journal, url: str) -> None:
    """Then there is nothing left to recognise a copy by."""
    store(journal, text_of(1, originator="", id=f"from-{NUMBER}-1"))
    assert journal.erasures.erase(Trace(NUMBER), None, INBOXES).notifications == 1
    assert NUMBER not in dump(url)
    assert only(journal).state is State.DONE


def test_what_is_being_handled_settles_too_late(journal: Journal, url: str, clock: Clock) -> None:
    """Its lease is gone, and what its handler says is not kept."""
    store(journal, text_of(1))
    (claim,) = journal.claim(1, LEASE)
    journal.erasures.erase(Trace(NUMBER), None, INBOXES)
    later = clock() + timedelta(seconds=9)
    assert journal.settle([ended(claim, State.RECEIVED, later, f"ValueError: {NUMBER}")]) == [False]
    (attempt,) = journal.history(claim.seq)
    assert (attempt.outcome, attempt.error) == ("failed, too late", "[erased]")
    assert only(journal).state is State.HANDLED
    assert NUMBER not in dump(url)


def test_those_behind_an_erased_one_go_on(journal: Journal, clock: Clock) -> None:
    """Erased by its recipient, it makes way for the next of its originator."""
    store(journal, text_of(1, originator=OTHER, recipient=NUMBER))
    store(journal, text_of(2, originator=OTHER))
    journal.claim(1, LEASE, in_order=True)
    assert journal.claim(1, LEASE, in_order=True) == []
    journal.erasures.erase(Trace(NUMBER), None, INBOXES)
    clock.forward(1)
    (claim,) = journal.claim(9, LEASE, in_order=True)
    assert claim.key == text_of(2).key


# -- mentions elsewhere ------------------------------------------------------------------------------------------------


def test_a_mention_is_replaced_and_the_rest_stays(journal: Journal, url: str, clock: Clock) -> None:
    """In a body, in a failure's detail, in an attempt's error, in a reconciliation's; each is counted apart."""
    store(journal, text_of(1, "Call +44 7700 900123 soon", OTHER))
    store(journal, MessageError(account=ACCOUNT, id="e", detail=f"{NUMBER} is unknown"))
    store(journal, text_of(3, "nothing", OTHER))
    for claim in journal.claim(3, LEASE):
        error = f"KeyError: '{NUMBER}'" if claim.key == text_of(3).key else None
        journal.settle([ended(claim, State.DEAD if error else State.DONE, None, error)])
    number = journal.begin_reconciliation(Beginning(ACCOUNT, clock()))
    assert number is not None
    journal.end_reconciliation(number, Tally(), f"no {NUMBER}")
    expected = Erasure(mentions=2, attempts=1, reconciliations=1)
    assert journal.erasures.rehearse(Trace(NUMBER)) == expected
    assert journal.erasures.erase(Trace(NUMBER), None, INBOXES) == expected
    told = {record.kind: record.notification for record in journal.records(Selection())[1:]}
    assert told[Kind.MESSAGE_RECEIVED] == text_of(1, "Call [erased] soon", OTHER)
    assert told[Kind.MESSAGE_ERROR] == MessageError(account=ACCOUNT, id="e", detail="[erased] is unknown")
    assert NUMBER not in dump(url)
    (dead,) = journal.records(Selection(state=State.DEAD))
    assert [one.error for one in journal.history(dead.seq)] == ["KeyError: '[erased]'"]


@pytest.mark.parametrize(
    "envelope",
    [
        b"<x>447700900123</x>",
        "<x>447700900123</x>".encode("utf-16"),
        "<x>+44 7700 900123</x>".encode("utf-16-be"),
        b"<x>&#52;47700900123</x>",
    ],
)
def test_a_request_that_mentions_it_is_replaced_whole(journal: Journal, url: str, envelope: bytes) -> None:
    """In whatever encoding it came."""
    store(journal, text_of(1, "Hello", OTHER), envelope)
    assert journal.erasures.erase(Trace(NUMBER), None, INBOXES) == Erasure(mentions=1)
    assert "[erased]" in dump(url)
    assert journal.erasures.rehearse(Trace(NUMBER)) == Erasure()


def test_what_cannot_be_read_is_searched_as_it_is(journal: Journal, url: str) -> None:
    """A poisoned row has no fields, but it has a text."""
    store(journal, text_of(1, originator=OTHER))
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE notification SET payload = :broken"), {"broken": f"{{ {NUMBER}"})
    engine.dispose()
    assert journal.erasures.erase(Trace(NUMBER), None, INBOXES) == Erasure(mentions=1)
    assert NUMBER not in dump(url)


def test_only_the_account_that_is_named(journal: Journal) -> None:
    """Another account's rows stay as they are."""
    for account in (ACCOUNT, "EX0000002"):
        store(journal, text_of(1, account=account))
    assert journal.erasures.erase(Trace(NUMBER), "EX0000002", INBOXES) == Erasure(1, 1)
    kept, erased = sorted(journal.records(Selection()), key=lambda record: record.account)
    assert (kept.originator, erased.originator) == (NUMBER, None)


def test_an_account_keeps_its_name(journal: Journal) -> None:
    """Even one that is a number: without it the row would be nobody's."""
    store(journal, text_of(1, account=NUMBER, originator=OTHER))
    assert journal.erasures.erase(Trace(NUMBER), None, INBOXES) == Erasure()


def test_many_rows_are_gone_through(journal: Journal) -> None:
    """In steps of 200; those of others are not touched."""
    journal.record_all([Entry(text_of(n, originator=NUMBER if n % 10 else OTHER), START) for n in range(700)])
    assert journal.erasures.erase(Trace(NUMBER), None, INBOXES) == Erasure(630, 630)
    assert len(journal.records(Selection(originator=OTHER))) == 70


# -- the files ---------------------------------------------------------------------------------------------------------


def bytes_of(url: str) -> bytes:
    file = Path(url.removeprefix("sqlite:///"))
    return b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))


def test_no_file_holds_the_number(sqlite_url: str) -> None:
    """After a life with many rows, updates and deletions: the database, its log and its index are clean."""
    with Journal(sqlite_url) as journal, Journal(sqlite_url) as service:
        for start in range(0, 1200, 300):
            numbers = range(start, start + 300)
            service.record_all([Entry(text_of(n, "x" * (n % 900), NUMBER if n % 3 else OTHER), START) for n in numbers])
            claims = service.claim(150, LEASE)
            service.settle([ended(each, State.DONE, error=f"for {NUMBER}") for each in claims])
            service.purge(START + timedelta(days=1 if start % 600 else -1))
        assert NUMBER.encode() in bytes_of(sqlite_url)
        journal.erasures.erase(Trace(NUMBER), None, INBOXES)
        assert journal.erasures.wipe(Trace(NUMBER)) is Wiped.CLEAN
        assert NUMBER.encode() not in bytes_of(sqlite_url)
        assert OTHER.encode() in bytes_of(sqlite_url)
        assert service.record(Entry(text_of(9999, originator=OTHER), START)), "the service goes on"


def test_what_was_deleted_without_care_is_removed_too(sqlite_url: str) -> None:
    """A trace in free space, as an earlier release may have left one, makes the file be written anew."""
    with Journal(sqlite_url) as journal:
        journal.record_all([Entry(text_of(n), START) for n in range(50)])
    engine = create_engine(sqlite_url)
    with engine.connect() as connection:
        connection.execute(text("PRAGMA secure_delete = OFF"))
        connection.execute(text("DELETE FROM notification"))
        connection.commit()
    engine.dispose()
    assert NUMBER.encode() in bytes_of(sqlite_url)
    with Journal(sqlite_url) as journal:
        assert journal.erasures.wipe(Trace(NUMBER)) is Wiped.CLEAN
    assert NUMBER.encode() not in bytes_of(sqlite_url)


def test_digits_that_may_stay_are_said_to_be_found(sqlite_url: str) -> None:
    """In another account, for instance."""
    with Journal(sqlite_url) as journal:
        store(journal, text_of(1))
        journal.erasures.erase(Trace(NUMBER), "EX0000002", INBOXES)
        assert journal.erasures.wipe(Trace(NUMBER)) is Wiped.FOUND


def test_a_reader_that_holds_the_log_back_is_noticed(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not said to be clean when it may not be."""
    monkeypatch.setattr("soap_handler.journal.databases.sqlite.PRAGMAS", ("journal_mode = WAL", "busy_timeout = 10"))
    with Journal(sqlite_url) as journal:
        store(journal, text_of(1))
        engine = create_engine(sqlite_url)
        with engine.connect() as connection:
            connection.execute(text("BEGIN"))
            connection.execute(text("SELECT * FROM notification")).all()
            journal.erasures.erase(Trace(NUMBER), None, INBOXES)
            assert journal.erasures.wipe(Trace(NUMBER)) is Wiped.BUSY
        engine.dispose()
        assert journal.erasures.wipe(Trace(NUMBER)) is Wiped.CLEAN


def test_postgresql_is_vacuumed_by_others(journal: Journal, url: str) -> None:
    """Its old row versions are its administrator's business, and that is said."""
    expected = Wiped.NEEDS_VACUUM if url.startswith("postgresql") else Wiped.CLEAN
    assert journal.erasures.wipe(Trace(NUMBER)) is expected
