"""What is put into the journal: whatever it says, each engine takes it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from soap_handler.journal import Entry, Selection
from tests.journal.entries import ANN, START, bodies, claim_in_order, message, only

if TYPE_CHECKING:
    from soap_handler.journal import Journal


def test_a_number_of_absurd_length_is_stored(journal: Journal) -> None:
    """It would not fit into an index, which is no reason to refuse it: it is there as it came, and is found by it."""
    absurd = "".join(f"{number:x}" for number in range(10_000))
    told = message(1, originator=absurd)
    assert journal.record_all([Entry(told, START)]) == [True]
    assert only(journal).notification == told
    assert len(journal.records(Selection(originator=absurd))) == 1
    assert journal.records(Selection(originator=ANN)) == []
    assert bodies(claim_in_order(journal)) == ["1"]


def test_texts_of_absurd_length_are_stored(journal: Journal) -> None:
    """Also those that nobody searches for."""
    absurd = "".join(f"{number:x}" for number in range(10_000))
    told = replace(message(1), id=absurd, recipient=absurd, body=absurd)
    assert journal.record_all([Entry(told, START), Entry(told, START)]) == [True, False]
    assert only(journal).notification == told
