"""Browsing: pages by keyset that neither repeat nor miss a row, by whatever filter, within a time limit."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import Entry, Selection, State
from soap_handler.journal.questions import browsing
from soap_handler.journal.questions.browsing import Page, Search, browse
from soap_handler.journal.questions.course import INTERVALS, intervals
from soap_handler.notifications import MessageEvent
from tests.journal.entries import LEASE, START, Clock, ended, entry, message

if TYPE_CHECKING:
    from soap_handler.journal import Journal

ACCOUNTS = ("EX0000001", "EX0000002")
ROWS = 7


def look(journal: Journal, wanted: Search, most: int = 3, seconds: float = 60.0) -> Page:
    return journal.read(lambda connection: browse(connection, wanted, timedelta(), most=most, seconds=seconds))


def keys(page: Page) -> list[str]:
    return [record.key for record in page.records]


@pytest.fixture
def stored(journal: Journal) -> list[str]:
    """Store some, of which one is dead and one waits; return the keys, latest first."""
    entries = [entry(number, START + timedelta(minutes=number)) for number in range(ROWS)]
    journal.record_all(entries)
    claims = journal.claim(ROWS - 1, LEASE)
    states = [State.DEAD, *[State.DONE] * (ROWS - 2)]
    errors = ["KeyError: no order", *[None] * (ROWS - 2)]
    journal.settle(
        [ended(claim, state, error=error) for claim, state, error in zip(claims, states, errors, strict=True)]
    )
    return [each.notification.key for each in reversed(entries)]


@pytest.mark.parametrize("selection", [Selection(), Selection(account=ACCOUNTS[0])], ids=["all", "by account"])
def test_pages_follow_each_other_while_others_come_in(
    journal: Journal, stored: list[str], selection: Selection
) -> None:
    """What is stored meanwhile moves no page: each row is on one of them."""
    found: list[str] = []
    before = None
    for number in range(100, 110):
        page = look(journal, Search(selection, before=before))
        found += keys(page)
        journal.record(entry(number))
        before = page.older
        if before is None:
            break
    assert found == stored


def test_the_time_limit_ends_a_page_and_the_next_goes_on(
    journal: Journal, stored: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says back to when nothing was left out; by going on, all are found."""
    monkeypatch.setattr(browsing, "FIRST_WINDOW", 2)
    first = look(journal, Search(Selection(number="447700900001")), most=9, seconds=0.0)
    assert keys(first) == stored[:2]
    assert first.looked_back_to == START + timedelta(minutes=ROWS - 2)
    found = keys(first)
    while first.older is not None:
        first = look(journal, Search(Selection(number="447700900001"), before=first.older), most=9, seconds=0.0)
        found += keys(first)
    assert found == stored
    assert first.looked_back_to is None


def test_a_state_with_an_index_is_counted(journal: Journal, stored: list[str]) -> None:
    """The dead are found at once, with how many there are and their errors; the error narrows them."""
    page = look(journal, Search(Selection(state=State.DEAD)))
    assert (keys(page), page.total, page.older) == (stored[-1:], 1, None)
    assert list(page.errors.values()) == ["KeyError: no order"]
    assert look(journal, Search(Selection(state=State.DEAD, error="keyerror"))).total == 1
    assert look(journal, Search(Selection(state=State.DEAD, error="other"))).total == 0
    assert keys(look(journal, Search(Selection(error="NO ORDER")))) == stored[-1:]


@pytest.mark.parametrize("few", [browsing.FEW, 0], ids=["few", "many"])
def test_keys_and_ids_are_found_by_their_beginning(
    journal: Journal, stored: list[str], monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Whole, in any spelling of a GUID, or in part; through the index or by row."""
    monkeypatch.setattr(browsing, "FEW", few)
    identity = message(3).id
    journal.record(Entry(MessageEvent(account=ACCOUNTS[1], id=identity), START))
    event = look(journal, Search(Selection()), most=1).records[0].key
    wanted = message(3).key
    assert keys(look(journal, Search(Selection(), wanted, ACCOUNTS))) == [wanted]
    assert set(keys(look(journal, Search(Selection(), wanted[:-1], ACCOUNTS), most=99))) == set(stored)
    for text in (identity, identity.upper(), f"{{{identity}}}", identity.replace("-", "")):
        found = keys(look(journal, Search(Selection(), text, ACCOUNTS)))
        assert set(found) == {event, wanted}, text
    assert len(keys(look(journal, Search(Selection(), "00000000", ACCOUNTS), most=99))) == ROWS + 1
    for accounts in ((), ("EX0000009",)):  # those of an account that is not configured any more
        assert set(keys(look(journal, Search(Selection(), identity, accounts)))) == {event, wanted}
    for text in ("%", "_", "nix", "\U0010ffff"):
        assert keys(look(journal, Search(Selection(), text, ACCOUNTS))) == [], text


def test_the_course_has_each_in_its_interval(journal: Journal, clock: Clock) -> None:
    """What was stored and handled stands in the interval of its time; the last one is now."""
    journal.record_all([entry(1, START - timedelta(minutes=5, seconds=30)), entry(2, START), entry(3, START)])
    first, second = journal.claim(2, LEASE)
    journal.settle([ended(first, State.DONE), ended(second, State.DEAD, error="KeyError")])
    clock.forward(90)
    course = journal.read(lambda connection: intervals(connection, clock.moment))
    assert (course.length, len(course.stored)) == (timedelta(minutes=1), INTERVALS)
    assert {place: count for place, count in enumerate(course.stored) if count} == {INTERVALS - 8: 1, INTERVALS - 2: 2}
    assert course.handled[INTERVALS - 2 :] == (1, 0)
    assert course.failed[INTERVALS - 2 :] == (1, 0)
    assert sum(course.deleted) == 0
