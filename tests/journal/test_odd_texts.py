"""Whatever a text holds, the journal keeps it, on each engine."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soap_handler.journal import Entry, Journal, Selection, State
from soap_handler.notifications import MessageReceived
from tests.journal.entries import LEASE, START, ended, only

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD = ["\0", "a\0b", "\ud83d", "x\udcffy", "\x1b\x0c", "🚌", "'; --", "x" * 70]
ACCOUNTS = itertools.count()


def has_no_pair(text: str) -> bool:
    """Two surrogates that belong together are one character, and come back as one."""
    return not re.search("[\ud800-\udbff][\udc00-\udfff]", text)


@pytest.fixture
def shared_journal(url: str) -> Iterator[Journal]:
    with Journal(url) as opened:
        yield opened


@pytest.mark.parametrize("odd", ODD)
def test_odd_texts_survive(journal: Journal, odd: str) -> None:
    """NUL, half an emoji and the like in id, originator and body are stored and come back, on every engine."""
    told = MessageReceived(account="EX0000001", id=odd, originator=odd, recipient=odd, body=odd)
    assert journal.record(Entry(told, START, envelope=b"\0\xff"))
    assert not journal.record(Entry(told, START))
    (claim,) = journal.claim(1, LEASE)
    assert claim.notification == told
    assert only(journal).notification == told
    assert [record.key for record in journal.records(Selection(originator=odd))] == [told.key]
    assert len(journal.records(Selection(key=told.key))) == 1
    assert journal.settle([ended(claim, State.DEAD, error=f"ValueError: {odd}")]) == [True]
    duplicate, died = journal.history(claim.seq)
    assert (duplicate.outcome, str(died.error).partition(":")[0]) == ("duplicate", "ValueError")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(codec=None)).filter(has_no_pair), min_size=4, max_size=4))
def test_any_text_survives(shared_journal: Journal, texts: list[str]) -> None:
    """Whatever Python can hold as text can be recorded, and comes back equal."""
    told = MessageReceived(
        account=str(next(ACCOUNTS)), id=texts[0], originator=texts[1], recipient=texts[2], body=texts[3]
    )
    shared_journal.record(Entry(told, START))
    assert [record.notification for record in shared_journal.records(Selection(key=told.key))] == [told]
