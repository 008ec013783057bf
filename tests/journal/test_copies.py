"""Copies of a notification: what a duplicate brings is noted, and keys of an earlier release are recognised."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import Entry, Journal, Selection, Step
from soap_handler.journal.erasure.phone_number import Trace
from soap_handler.notifications import Kind, MessageEvent, MessageReceived, from_dict, to_json
from tests.journal.earlier import taken_back
from tests.journal.entries import ANN, START, only

if TYPE_CHECKING:
    from soap_handler.notifications import Notification

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
