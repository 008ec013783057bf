"""Finding notifications: by a phone number in any form, by time, by error, and by the beginning of a key."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import Entry, Journal, Selection, State, questions
from soap_handler.journal.conditions import is_number
from soap_handler.notifications import MessageEvent
from tests.journal.entries import LEASE, START, Clock, ended, entry, message

if TYPE_CHECKING:
    from collections.abc import Iterator

STORED = (
    "447700900123",
    "+447700900123",
    "0044 7700-900123",
    "07700 900123",
    "+44 (0)7700 900.123",
    "337700900123",
    "447700900124",
    "5447700900123987",
    "88600",
    "SHOP",
)
BRITISH = {"447700900123", "+447700900123", "0044 7700-900123", "+44 (0)7700 900.123"}
NATIONAL = {"07700 900123"}
FRENCH = {"337700900123"}

FORMS = {
    "+447700900123": BRITISH | NATIONAL,
    "0044 7700 900 123": BRITISH | NATIONAL,
    "+44 (0)7700 900123": BRITISH | NATIONAL,
    "447700900123": BRITISH | NATIONAL,
    "07700900123": BRITISH | NATIONAL | FRENCH,
    "7700900123": BRITISH | NATIONAL | FRENCH,
    "0900123": BRITISH | NATIONAL | FRENCH,
    "+337700900123": NATIONAL | FRENCH,
    "+497700900999": set(),
    "88600": {"88600"},
    "8600": set(),
}
"""What is found by each form that a person may type."""


@pytest.fixture
def journal(url: str, clock: Clock) -> Iterator[Journal]:
    """Open one in the plain way: all of this is the same with the fast path."""
    with Journal(url, clock=clock) as opened:
        yield opened


def found(journal: Journal, selection: Selection) -> list[str]:
    return [getattr(record.notification, "originator", "") for record in journal.records(selection)]


def test_a_number_is_found_in_whatever_form_either_is_written(journal: Journal) -> None:
    """An international form is compared whole, any other from its end; a stored national form fits both."""
    journal.record_all([Entry(message(number, originator=each), START) for number, each in enumerate(STORED)])
    for form, expected in FORMS.items():
        assert set(found(journal, Selection(number=form))) == expected, form
        assert journal.read(partial(questions.count, selection=Selection(number=form))) == len(expected)


@pytest.mark.parametrize("stored", ["0%%%%%%%23", "0______23", "0%23456789%23", "0" + "%1" * 20 + "23"])
def test_an_originator_is_no_pattern(journal: Journal, stored: str) -> None:
    """What anybody may send would else be found, and given up, with each number."""
    journal.record(Entry(message(1, originator=stored), START))
    for form in FORMS:
        assert found(journal, Selection(number=form)) == [], form


def test_a_number_has_digits_alone() -> None:
    """A name is looked for as an originator."""
    assert [each for each in (*FORMS, "SHOP", "", "+", "44a7700") if not is_number(each)] == [
        "SHOP",
        "",
        "+",
        "44a7700",
    ]


def test_times_bound_what_is_found(journal: Journal, clock: Clock) -> None:
    """From then on, and before then."""
    for number in range(5):
        journal.record(entry(number, clock.moment))
        clock.forward(60)
    minute = timedelta(minutes=1)
    between = Selection(since=START + minute, until=START + 3 * minute)
    assert [record.received_at for record in journal.records(between)] == [START + 2 * minute, START + minute]
    assert len(journal.records(Selection(after=journal.records(between)[0].seq))) == 2


def test_the_last_error_is_what_counts(journal: Journal) -> None:
    """In whatever letter case; a sign of the pattern language is itself."""
    journal.record_all([Entry(message(number, originator=f"447700900{number}"), START) for number in range(4)])
    first, second, third, _ = journal.claim(4, LEASE)
    journal.settle([ended(first, State.RECEIVED, START, error="HTTP 503, 100% busy")])
    [first] = journal.claim(1, LEASE)
    errors = {first: "not found", second: "http 503", third: "HTTP 503, 100% busy"}
    journal.settle([ended(claim, State.DEAD, error=error) for claim, error in errors.items()])

    def keys(text: str) -> set[str]:
        return {record.key for record in journal.records(Selection(error=text))}

    assert keys("HTTP 503") == {second.key, third.key}
    assert keys("100%") == {third.key}
    assert keys("5_3") == set()
    assert keys("NOT FOUND") == {first.key}
    assert journal.retry(Selection(error="HTTP 503")) == 2
    seqs = [record.seq for record in journal.records(Selection())]
    last = journal.read(lambda connection: questions.last_errors(connection, seqs))
    assert last == {first.seq: "not found", second.seq: "http 503", third.seq: "HTTP 503, 100% busy"}


def test_a_key_is_known_by_its_beginning(journal: Journal) -> None:
    """Its own beginning or that of the message's id, in whatever letter case; the whole key is never ambiguous."""
    one, two = (replace(message(0), id=f"{begins}-0000-4000-8000-000000000000") for begins in ("3fa91c1e", "3fa91c00"))
    event = MessageEvent(account="EX0000001", id=one.id, occurred_at=START)
    journal.record_all([Entry(each, START) for each in (one, two, event)])

    def keys(beginning: str) -> set[str]:
        return set(journal.read(lambda connection: questions.keys_like(connection, beginning)))

    assert keys("3fa91c0") == {two.key}
    assert keys("3FA91C0") == {two.key}
    assert keys("3fa91c1e") == {one.key, event.key}
    assert keys(one.key) == {one.key}
    assert keys(one.key[:-1]) == {one.key}
    assert keys("EX0000001/MessageReceived/3fa9") == {one.key, two.key}
    assert keys("9") == set()
    assert keys("%") == set()
    assert len(journal.read(lambda connection: questions.keys_like(connection, "", 2))) == 2


def test_an_account_that_the_journal_has(journal: Journal) -> None:
    """By the name that its rows bear."""
    journal.record(entry(0))
    known = [journal.read(partial(questions.has_account, name=name)) for name in ("EX0000001", "EX9")]
    assert known == [True, False]
