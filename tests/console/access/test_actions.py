"""Actions of operators: counted, confirmed with that count, carried out, and noted with the operator's name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Journal, Selection, State, Step, noted, trail
from tests.console.access.desk import operator, store_dead
from tests.journal.entries import ANN, LEASE, Clock, ended, entry

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.test import TestResponse


def states(journal: Journal) -> dict[State, int]:
    found = journal.records(Selection())
    return {state: count for state in State if (count := sum(each.state is state for each in found))}


def store_done(journal: Journal, first: int, last: int) -> None:
    for number in range(first, last + 1):
        journal.record(entry(number))
    journal.settle([ended(claim, State.DONE) for claim in journal.claim(last - first + 1, LEASE)])


def asked_count(answer: TestResponse) -> str:
    """Return the count that a page asks to confirm."""
    assert answer.status_code == 200
    found = re.search(r'name="confirm" value="(\d+)"', answer.text)
    assert found is not None, answer.text
    return found[1]


def test_all_of_a_filter_is_counted_confirmed_and_noted(app: Flask, journal: Journal) -> None:
    """The page asks with the count and sends the filter again; the row has name, filter, count and both times."""
    store_dead(journal, 1, 3, "the printer is on fire")
    store_dead(journal, 4, 5, "out of paper")
    browser = operator(app)
    referer = {"Referer": "http://localhost:8081/dead?error=fire"}
    page = browser.act("retry", {"error": "FIRE", "state": "dead"}, **referer)
    assert asked_count(page) == "3"
    assert states(journal) == {State.DEAD: 5}
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    done = browser.act("retry", hidden)
    assert (done.status_code, done.location) == (303, "/dead?error=fire")
    assert "3 sent round again." in str(browser.get("/audit").text)
    assert states(journal) == {State.DEAD: 2, State.RECEIVED: 3}
    (row,) = trail(journal, 9)
    assert (row.who, row.action, row.subject, row.notifications) == ("olga", "retry", "state=dead, error=FIRE", 3)
    assert row.caller == "127.0.0.1"
    assert row.ended_at is not None
    assert row.begun_at <= row.ended_at
    assert row.error is None


def test_one_and_several_are_chosen_by_number(app: Flask, journal: Journal) -> None:
    """Only what was chosen is acted on; the count is of those that the action can do something with."""
    seqs = store_dead(journal, 1, 4)
    store_done(journal, 5, 5)
    browser = operator(app)
    assert browser.act("retry", {"seq": [str(seqs[0])], "confirm": "1"}).status_code == 303
    assert browser.act("retry", {"seq": [str(each) for each in (*seqs, 999)], "confirm": "3"}).status_code == 303
    assert states(journal) == {State.RECEIVED: 4, State.DONE: 1}
    assert [row.notifications for row in trail(journal, 9)] == [3, 1]


def test_another_number_is_asked_about_again(app: Flask, journal: Journal) -> None:
    """What was confirmed is what is done: a count that has changed, or is forged, does nothing."""
    store_dead(journal, 1, 2)
    for confirm in ("3", "1", "02", "2 ", "all"):
        page = operator(app).act("retry", {"kind": "MessageReceived", "confirm": confirm})
        assert asked_count(page) == "2"
        assert "Meanwhile it is another number." in page.text
    assert states(journal) == {State.DEAD: 2}
    assert trail(journal, 9) == []


def test_nothing_to_do_is_said(app: Flask, journal: Journal) -> None:
    """A filter for another state than the action's finds nothing: it is not left out."""
    store_dead(journal, 1, 2)
    answer = operator(app).act("retry", {"state": "done", "confirm": "0"})
    assert "None of them is dead." in answer.text
    assert states(journal) == {State.DEAD: 2}


def test_replay_and_give_up(app: Flask, journal: Journal) -> None:
    """What is done goes round once more; what waits becomes dead, with the reason and the name in its history."""
    store_done(journal, 1, 2)
    browser = operator(app)
    assert asked_count(browser.act("replay", {"account": "EX0000001"})) == "2"
    assert browser.act("replay", {"account": "EX0000001", "confirm": "2"}).status_code == 303
    assert states(journal) == {State.RECEIVED: 2}
    assert browser.act("give-up", {"kind": "MessageReceived", "confirm": "2", "reason": "a test"}).status_code == 303
    assert states(journal) == {State.DEAD: 2}
    (record, _) = journal.records(Selection())
    (given_up,) = (each for each in journal.history(record.seq) if each.step is Step.GIVE_UP)
    assert given_up.error == "a test (olga)"
    assert [row.action for row in trail(journal, 9)] == ["give-up", "replay"]


def test_a_number_is_found_but_not_kept(app: Flask, journal: Journal) -> None:
    """The trail is no place where an erased number would be left."""
    store_dead(journal, 1, 1)
    browser = operator(app)
    fields = {"number": "+44 7700 900001", "error": "it broke", "confirm": "1"}
    assert browser.act("retry", fields).status_code == 303
    (row,) = trail(journal, 9)
    assert row.subject == "number=…01, error=it broke"
    assert ANN[-6:] not in browser.get("/audit").text


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"number": " ", "reason": "none"},
        {"state": "lost"},
        {"kind": "Letter"},
        {"since": "yesterday"},
        {"until": "99999-01-01"},
        {"seq": ["1", "x"]},
        {"seq": ["9" * 30]},
        {"seq": ["²"]},
        {"seq": [str(number) for number in range(1_001)]},
    ],
)
def test_what_cannot_be_read_does_nothing(app: Flask, journal: Journal, fields: dict[str, Any]) -> None:
    """A filter that is misunderstood must not become everything."""
    store_dead(journal, 1, 2)
    assert operator(app).act("retry", {**fields, "confirm": "2"}).status_code == 400
    assert states(journal) == {State.DEAD: 2}


def test_times_and_ids_narrow(app: Flask, journal: Journal) -> None:
    """A time without a zone is of this machine's; an id is one, or how one begins: as on the page of messages."""
    store_dead(journal, 1, 3)
    browser = operator(app)
    assert asked_count(browser.act("retry", {"since": "2026-03-02T00:00:00Z", "until": "2026-03-03T12:00"})) == "3"
    assert "None of them" in browser.act("retry", {"since": "2026-03-09T00:00Z"}).text
    key = "EX0000001/MessageReceived/00000000-0000-0000-0000-000000000003"
    assert asked_count(browser.act("retry", {"id": key})) == "1"
    assert asked_count(browser.act("retry", {"id": key[:40]})) == "3"
    chosen = {"id": key, "seq": ["1"]}
    assert "None of them" in browser.act("retry", chosen).text


def test_an_action_that_breaks_off_is_noted(app: Flask, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row says so, the operator is told, and nothing is hidden behind a page of error."""
    store_dead(journal, 1, 1)
    browser = operator(app)

    def fail(_: Selection) -> int:
        raise JournalUnavailableError("the disk is full")

    monkeypatch.setattr(journal, "retry", fail)
    assert browser.act("retry", {"kind": "MessageReceived", "confirm": "1"}).status_code == 303
    assert "It ended early: the disk is full" in browser.get("/audit").text
    (row,) = trail(journal, 9)
    assert (row.error, row.notifications) == ("the disk is full", None)


def test_without_a_trail_nothing_is_done(app: Flask, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row comes first: where it cannot be committed, the action is not begun."""
    store_dead(journal, 1, 1)
    browser = operator(app)

    def fail(_: object) -> None:
        raise JournalUnavailableError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(journal, "wait", fail)
        assert browser.act("retry", {"kind": "MessageReceived", "confirm": "1"}).status_code == 303
    assert states(journal) == {State.DEAD: 1}
    assert [row for row in trail(journal, 9) if row.ended_at is not None] == []


def test_a_time_ago_stays_what_it_was(app: Flask, journal: Journal, clock: Clock) -> None:
    """What is confirmed is what was counted: a time that is told as an age does not go on meanwhile."""
    store_dead(journal, 1, 2)
    clock.forward(3500)
    browser = operator(app)
    page = browser.act("retry", {"since": "1h", "until": "10s"})
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    assert asked_count(page) == "2"
    clock.forward(600)
    assert browser.act("retry", hidden).status_code == 303
    assert states(journal) == {State.RECEIVED: 2}


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_an_action_leads_to_no_other_site(app: Flask, journal: Journal, back: str) -> None:
    """Neither the form nor the Referer sends an operator elsewhere."""
    store_dead(journal, 1, 2)
    browser = operator(app)
    assert browser.act("retry", {"state": "dead", "confirm": "2", "back": back}).location == "/"
    page = browser.act("replay", {"state": "done"}, Referer="https://evil.example/elsewhere")
    assert 'href="/elsewhere"' in page.text


def test_a_referer_that_cannot_be_read_leads_to_the_overview(app: Flask, journal: Journal) -> None:
    """The action is carried out all the same."""
    store_dead(journal, 1, 1)
    done = operator(app).act("retry", {"state": "dead", "confirm": "1"}, Referer="http://[")
    assert (done.status_code, done.location) == (303, "/")


def test_an_unknown_action_is_none(app: Flask) -> None:
    """There are three."""
    assert operator(app).act("erase", {"confirm": "0"}).status_code == 404


def test_the_audit_page_turns(app: Flask, journal: Journal) -> None:
    """A hundred rows a page, latest first; what people typed is shown as text."""
    browser = operator(app)
    assert "Nothing yet." in browser.get("/audit").text
    for number in range(101):
        with noted(journal, f"<i>{number}</i>", "retry", "everything") as note:
            note.notifications = number
    first = browser.get("/audit").text
    assert first.count("<tr>") == 101
    assert "&lt;i&gt;100&lt;/i&gt;" in first
    older = re.search(r'href="(/audit\?before=\d+)"', first)
    assert older is not None
    assert browser.get(older[1]).text.count("<tr>") == 2
