"""Copies of a notification: what a duplicate brings is noted, and keys of an earlier release are recognised."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, func, select

from soap_handler.faces.origin import NOT_RECORDED, origin_of
from soap_handler.journal import Entry, Journal, Selection, Source, State, Step
from soap_handler.journal.copies import LINES_KEPT, note_copies
from soap_handler.journal.erasure.phone_number import Trace
from soap_handler.journal.schema import attempt
from soap_handler.journal.settle import LOCK
from soap_handler.notifications import Kind, MessageEvent, MessageReceived, from_dict, to_json
from tests.journal.earlier import taken_back
from tests.journal.entries import ANN, LEASE, START, ended, only

if TYPE_CHECKING:
    from datetime import datetime

    from soap_handler.notifications import Notification
    from tests.journal.engines import PostgreSQL
    from tests.journal.ways import Way

GUID = "8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5d"
GOOD = MessageReceived(account="EX0000001", id=GUID, originator=ANN, body="Yes please")
MENDED = replace(GOOD, body="", repaired=("unknown element",))


def entry(notification: Notification, envelope: bytes | None = None) -> Entry:
    return Entry(notification, START, envelope=envelope)


def test_a_duplicate_that_says_more_is_noted_with_its_content(journal: Journal) -> None:
    """The first copy was read in part; the second one says what was missing, and is kept."""
    assert journal.record(entry(MENDED, b"<a/>"))
    assert not journal.record(entry(GOOD))
    (line,) = journal.history(only(journal).seq)
    assert (line.step, line.outcome, line.error, line.started_at) == (Step.PUSH, "duplicate", None, START)
    assert line.envelope is not None
    assert from_dict(Kind.MESSAGE_RECEIVED, json.loads(line.envelope)) == GOOD
    assert only(journal).notification == MENDED


def test_each_content_is_noted_once(journal: Journal) -> None:
    """EMS may push again as often as it likes; a repaired copy is kept as it came. Each push has its line."""
    journal.record(entry(MENDED, b"<a/>"))
    other = replace(MENDED, body="Yes")
    for copy in (entry(GOOD), entry(GOOD), entry(other, b"<b/>"), entry(other, b"<b/>"), entry(MENDED, b"<a/>")):
        assert journal.record_all([copy]) == [False]
    lines = journal.history(only(journal).seq)
    assert [line.envelope for line in lines] == [to_json(GOOD).encode(), None, b"<b/>", None, None]


def test_both_in_one_commit(journal: Journal) -> None:
    """The first of a batch is stored, and the second is its duplicate."""
    assert journal.record_all([entry(MENDED, b"<a/>"), entry(GOOD)]) == [True, False]
    assert len(journal.history(only(journal).seq)) == 1


def test_no_content_of_a_duplicate_of_what_was_read_in_full(journal: Journal) -> None:
    """Whatever it says: the first copy lacks nothing. That it came is noted."""
    journal.record(entry(GOOD))
    journal.record_all([entry(replace(GOOD, body="other")), entry(MENDED, b"<a/>")])
    lines = journal.history(only(journal).seq)
    assert [(line.step, line.envelope) for line in lines] == [(Step.PUSH, None)] * 2


def pushed(number: int, caller: str = "192.0.2.1", message: Notification = GOOD) -> Entry:
    """Return the push of a second."""
    return Entry(message, START + timedelta(seconds=number), caller=caller, api="soap")


def duplicates(journal: Journal) -> list[tuple[int, int, str | None, int]]:
    """Return of each duplicate's line the seconds of its first and its last push, the caller, and how many."""
    lines = [line for line in journal.history(only(journal).seq) if line.step is Step.PUSH]
    return [(second(line.started_at), second(line.ended_at), line.caller, line.times) for line in lines]


def second(moment: datetime) -> int:
    return round((moment - START).total_seconds())


@pytest.mark.parametrize("together", [1, 7, 60])
def test_a_notification_that_is_pushed_for_ever_has_few_lines(journal: Journal, together: int) -> None:
    """The first 20 duplicates have a line each; the last line counts the others, and says where the last came from."""
    entries = [pushed(number, f"192.0.2.{number}") for number in range(61)]
    journal.record(entries[0])
    for at in range(1, 61, together):
        assert not any(journal.record_all(entries[at : at + together]))
    own = [(number, number, f"192.0.2.{number}", 1) for number in range(1, LINES_KEPT)]
    assert duplicates(journal) == [*own, (LINES_KEPT, 60, "192.0.2.60", 60 - LINES_KEPT + 1)]
    assert only(journal).caller == "192.0.2.0"


def test_duplicates_of_several_in_one_commit(journal: Journal) -> None:
    """Each has its own lines, and new ones come in with them; content that is new has a line beside the 20."""
    others = [replace(GOOD, id=f"{GUID[:-1]}{number}") for number in range(3)]
    journal.record_all([pushed(0, message=each) for each in others] + [pushed(0, message=MENDED)])
    mixed = [pushed(number, message=each) for number in range(1, 30) for each in (*others, MENDED)]
    assert journal.record_all([pushed(1, message=replace(GOOD, id="new")), *mixed]) == [True] + [False] * len(mixed)
    assert not journal.record(pushed(99, message=GOOD))
    counts = {each.key: len(journal.history(each.seq)) for each in journal.records(Selection())}
    assert sorted(counts.values()) == [0, *[LINES_KEPT] * 3, LINES_KEPT + 1]
    assert counts[MENDED.key] == LINES_KEPT + 1


def test_a_recovered_message_has_no_caller(journal: Journal) -> None:
    """It was not pushed; and one that reconciliation finds although it was pushed meanwhile says so."""
    journal.record(Entry(GOOD, START, Source.INBOX))
    journal.record(pushed(1))
    journal.record(Entry(GOOD, START, Source.INBOX))
    assert (only(journal).caller, only(journal).api) == (None, None)
    lines = journal.history(only(journal).seq)
    assert [(line.owner, line.caller, line.api) for line in lines] == [
        ("push", "192.0.2.1", "soap"),
        ("inbox", None, None),
    ]
    assert [origin_of(line) for line in lines] == ["SOAP from 192.0.2.1", None]
    assert origin_of(only(journal)) is None


def test_nothing_is_left_of_what_is_purged(journal: Journal) -> None:
    """The lines of the duplicates go with their notification."""
    journal.record_all([pushed(number) for number in range(40)])
    (claim,) = journal.claim(1, LEASE)
    journal.settle([ended(claim, State.DONE)])
    assert len(list(journal.attempts())) == LINES_KEPT + 1
    assert journal.purge(START + timedelta(days=1)).deleted == 1
    assert rows_of(journal) == 0


def rows_of(journal: Journal) -> int:
    """Return how many lines all histories have, of whatever notification."""
    return journal.read(lambda connection: connection.scalar(select(func.count()).select_from(attempt)) or 0)


def test_nothing_is_left_of_what_is_erased(journal: Journal) -> None:
    """Neither who pushed it, nor the duplicates, of before and of after."""
    journal.record_all([pushed(number) for number in range(40)])
    journal.erasures.erase(Trace(ANN))
    assert rows_of(journal) == 0
    assert (only(journal).caller, only(journal).api, origin_of(only(journal))) == (None, None, None)
    assert not journal.record(pushed(50))
    assert rows_of(journal) == 0


def test_an_earlier_release_kept_none(url: str) -> None:
    """Its rows go on, without a caller; a duplicate of one has its line."""
    with Journal(url) as journal:
        journal.record(pushed(0))
    taken_back(url, "0014")
    with Journal(url) as journal:
        assert (only(journal).caller, only(journal).api) == (None, None)
        assert origin_of(only(journal)) == NOT_RECORDED
        assert not journal.record(pushed(1))
        assert duplicates(journal) == [(1, 1, "192.0.2.1", 1)]
        assert [each.key for each in journal.claim(1, LEASE)] == [GOOD.key]


def test_a_duplicate_holds_up_no_claim_and_no_result(postgresql: PostgreSQL, way: Way) -> None:
    """While its line is written, its notification is claimed and settled; while that goes on, its line is written."""
    url = postgresql.database()
    engine = create_engine(url)
    with Journal(url, timeout=5, **way) as journal, engine.connect() as other:
        journal.record(pushed(0))
        with other.begin():
            note_copies(other, [pushed(1)])
            (claim,) = journal.claim(1, LEASE)
            assert journal.settle([ended(claim, State.DEAD)]) == [True]
        journal.retry(Selection())
        with other.begin():
            other.execute(LOCK, {"seqs": [only(journal).seq]})
            assert not journal.record(pushed(2))
        assert [line[0] for line in duplicates(journal)] == [1, 2]
    engine.dispose()


def test_what_is_noted_is_erased_too(journal: Journal) -> None:
    """With the message itself, and where it only mentions the number."""
    journal.record(entry(MENDED, b"<a/>"))
    journal.record(entry(replace(GOOD, body=f"call {ANN}")))
    other = replace(MENDED, id=GUID[:-1] + "0", originator="447700900999")
    journal.record(entry(other, b"<a/>"))
    journal.record(entry(replace(other, repaired=(), body=f"call {ANN}")))
    assert journal.erasures.rehearse(Trace(ANN)) == journal.erasures.erase(Trace(ANN))
    mentioning, about = journal.records(Selection())
    assert [ANN.encode() in (line.envelope or b"") for line in journal.history(mentioning.seq)] == [False]
    assert journal.history(about.seq) == []
    assert not journal.erasures.erase(Trace(ANN))


def test_others_of_a_request_are_committed_with_it(journal: Journal) -> None:
    """The answer is that of the first; each is a row."""
    event = entry(MessageEvent(account="EX0000001", id=GUID))
    assert journal.record(replace(entry(GOOD), others=(event,)))
    assert {record.kind for record in journal.records(Selection())} == {Kind.MESSAGE_RECEIVED, Kind.MESSAGE_EVENT}
    assert not journal.record(replace(entry(GOOD), others=(event,)))
    second = entry(replace(GOOD, id=GUID[:-1] + "0"))
    assert journal.record_all([replace(entry(GOOD), others=(event,)), second]) == [False, True]


EVENT = MessageEvent(account="EX0000001", id=GUID, repaired=("occurred_at missing",))
DIGESTED = replace(EVENT, digest="d" * 32)


def test_what_an_earlier_release_recorded_is_recognised(journal: Journal) -> None:
    """Its key was made of the values; the same request, byte for byte, is a duplicate, and no other is."""
    assert journal.record(entry(EVENT, b"<a/>"))
    assert not journal.record(entry(DIGESTED, b"<a/>"))
    assert journal.record(entry(replace(DIGESTED, digest="e" * 32), b"<b/>"))
    assert journal.record(entry(replace(DIGESTED, digest="f" * 32), None))
    assert not journal.record(entry(replace(DIGESTED, digest="e" * 32), b"<b/>"))
    assert len(journal.records(Selection())) == 3


@pytest.mark.parametrize("spelt", ["{%s}", "urn:uuid:%s", "32"])
def test_ids_of_an_earlier_release_are_written_in_one_form(url: str, spelt: str) -> None:
    """So what was handled under another spelling of its id is recognised; one whose key is taken stays."""
    old = GUID.replace("-", "") if spelt == "32" else spelt % GUID
    with Journal(url) as journal:
        journal.record(entry(replace(GOOD, id=old)))
        journal.record(entry(MessageEvent(account="EX0000001", id=old, occurred_at=START)))
        journal.record(entry(replace(GOOD, account="EX0000002", id=old)))
        journal.record(entry(replace(GOOD, account="EX0000002")))
        journal.record(entry(replace(GOOD, id="x" * 40)))
        journal.record(entry(replace(GOOD, id="x" * 40 + "{")))
    taken_back(url, "0005")
    with Journal(url) as journal:
        assert not journal.record(entry(GOOD))
        assert not journal.record(entry(MessageEvent(account="EX0000001", id=GUID, occurred_at=START)))
        records = journal.records(Selection(account="EX0000001"))
        assert [record.key for record in records] == [record.notification.key for record in records]
        assert len(journal.records(Selection())) == 6
