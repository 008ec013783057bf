"""Messages: found by whatever a person knows of them, page by page, and sent as a file that harms no spreadsheet."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from soap_handler.console.pages import filters
from soap_handler.journal import Entry, Selection, State
from soap_handler.journal.questions import browsing
from soap_handler.notifications import MessageReceived
from tests.console.pages.filled import Filled, as_viewer, console_on, settings_of
from tests.support.service import ACCOUNTS
from tests.support.wire import REFERENCE

if TYPE_CHECKING:
    from pathlib import Path

ALL = 28
FIFTH = "447700900104"
IDENTITY = "8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c04"


def rows(text: str) -> list[str]:
    return re.findall(r"<td>(4477\d+)?</td>\s*<td>Message|<td>(4477\d+)</td>\s*<td>Subscription", text)


def found(filled: Filled, query: str) -> int:
    return len(rows(filled.page(f"/messages?{query}")))


@pytest.mark.parametrize(
    "query",
    [
        "number=07700+900104",
        "number=%2B44+7700+900104",
        "number=0044-7700-900104",
        "number=7700900104",
        f"number={FIFTH}&state=dead&kind=MessageReceived&account=ex0012345&error=NO+ORDER&since=1h",
        f"id={IDENTITY}",
        f"id={IDENTITY.upper()}",
        f"id={REFERENCE}/MessageReceived/{IDENTITY}",
    ],
)
def test_one_is_found(filled: Filled, query: str) -> None:
    """By its number in any form, by its id or key, and by all fields at once."""
    text = filled.page(f"/messages?{query}")
    assert len(rows(text)) == 1
    assert f"<td>{FIFTH}</td>" in text


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", ALL),
        ("state=dead", 4),
        ("state=done", 9),
        ("kind=MessageEvent", 1),
        ("account=EX0067890", 0),
        ("account=447786204254", ALL),  # another name of the account
        ("error=keyerror", 3),
        ("error=%25", 0),
        ("state=dead&error=%5F", 0),
        (f"id={IDENTITY[:-2]}", 24),
        ("number=Shop", 0),
        ("since=1h&until=0s", ALL),
        ("until=1d", 0),
        ("number=12345", 0),
    ],
)
def test_several_are_found(filled: Filled, query: str, number: int) -> None:
    """Each field narrows; signs of LIKE are themselves."""
    assert found(filled, query) == number


@pytest.mark.parametrize(
    "query",
    ["state=gone", "kind=Fax", "since=yesterday", "until=25:10", "until=1:99", "number=%3F%3F", "since=9999999w"],
)
def test_what_cannot_be_read_is_said(filled: Filled, query: str) -> None:
    """Nothing is looked for, neither as a page nor as a file; the field says what is expected, and keeps its text."""
    status, text = filled.get(f"/messages?{query}")
    assert status == 400
    assert "expected" in text
    assert rows(text) == []
    assert filled.get(f"/messages.csv?{query}")[0] == 400


def test_a_time_is_a_whole_day_or_minute() -> None:
    """Until 10:02 has the minute, until a date has the day; a zone counts where it is said."""
    now = datetime(2026, 3, 3, tzinfo=UTC)

    def times(**fields: str) -> Selection:
        return filters.read(fields, ACCOUNTS, now).selection

    day = times(since="2026-03-02", until="2026-03-02")
    assert day.until is not None
    assert day.since == day.until - timedelta(days=1)
    minute = times(since="2026-03-02T10:02+01:00", until="2026-03-02 10:02+01:00")
    assert minute.since == datetime(2026, 3, 2, 9, 2, tzinfo=UTC)
    assert times(since="2h").since == now - timedelta(hours=2)
    last = times(since=f"{now.astimezone():%H:%M}", until=f"{(now + timedelta(minutes=1)).astimezone():%H:%M}")
    assert (last.since, last.until) == (now, now - timedelta(days=1) + timedelta(minutes=2))


def test_pages_follow_by_their_links(tmp_path: Path) -> None:
    """Each page links to the next with the filter; together they have each row once, whatever comes meanwhile."""
    with console_on(settings_of(tmp_path)) as console:
        now = console.journal.now()
        many = [MessageReceived(account=REFERENCE, id=f"m{each}", originator=f"4477{each:08}") for each in range(130)]
        console.journal.record_all([Entry(each, now) for each in many])
        path: str | None = "/messages?kind=MessageReceived"
        seen: list[str] = []
        while path:
            text = console.page(path)
            seen += re.findall(r"<td>(4477\d{8})</td>", text)
            console.journal.record(Entry(MessageReceived(account=REFERENCE, id=f"late{path}", originator="0"), now))
            following = re.search(r'rel="next"[^>]* href="([^"]+)"', text)
            path = following[1].replace("&amp;", "&") if following else None
        assert seen == [each.originator for each in reversed(many)]


def test_a_search_that_takes_long_says_how_far_it_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has a link to go on; the script is given the rows alone."""
    monkeypatch.setattr(browsing, "FIRST_WINDOW", 2)
    monkeypatch.setattr(browsing, "WINDOW_SECONDS", 0.0)
    monkeypatch.setattr(browsing, "SECONDS", 0.0)
    with console_on(settings_of(tmp_path)) as console:
        now = console.journal.now()
        texts = [
            Entry(MessageReceived(account=REFERENCE, id=f"m{each}", originator=f"4477{each:08}"), now)
            for each in range(5)
        ]
        console.journal.record_all(texts)
        text = console.page("/messages?number=447700000000")
        assert "none so far" in text
        link = re.search(r'data-further href="([^"]+)"', text)
        assert link
        status, fragment = console.get(link[1].replace("&amp;", "&"), **{"X-Fragment": "1"})
        assert status == 200
        assert fragment.lstrip().startswith("<tr")
        assert "<html" not in fragment


def test_a_row_says_what_the_message_says(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text, or what happened to one that was sent; without the right to read, the latter alone."""
    assert '<p class="says" dir="auto">Vote for number 4, good luck &amp; thanks</p>' in filled.page("/messages")
    assert ">Failed: It failed</p>" in filled.page("/messages?kind=MessageError")
    assert ">Subscribe</p>" in filled.page("/messages?kind=SubscriptionEvent")
    as_viewer(filled, monkeypatch)
    viewed = filled.page("/messages")
    assert "good luck" not in viewed
    assert ">Failed</p>" in viewed
    assert ">Delivered</p>" in viewed


def test_json_lines_have_all_of_a_filter(filled: Filled) -> None:
    """One object a line, the latest first, with the last error and the notification whole."""
    lines = [json.loads(line) for line in filled.page("/messages.jsonl?state=dead").splitlines()]
    records = filled.journal.records(Selection(state=State.DEAD))
    assert [line["key"] for line in lines] == [record.key for record in records]
    assert lines[0]["error"] == "KeyError: no order 7"
    assert lines[0]["notification"]["body"].startswith("Vote for number 14, good luck")
    assert len(filled.page("/messages.jsonl").splitlines()) == ALL


def test_csv_is_read_by_a_spreadsheet_without_harm(tmp_path: Path) -> None:
    """What could be a formula has an apostrophe before it; everything else is as it is, whatever signs it has."""
    bodies = ["=1+1", "+44", "-2", "@SUM(A1)", "\t=1", 'a "quote", and\na line', "plain", "\ud83d half", "é ☃"]
    with console_on(settings_of(tmp_path)) as console:
        for number, body in enumerate(bodies):
            sent = MessageReceived(account=REFERENCE, id=f"m{number}", originator="+447700900123", body=body)
            console.journal.record(Entry(sent, console.journal.now()))
        status, text = console.get("/messages.csv")
        assert status == 200
        assert text.startswith("\ufeff")
        read = list(csv.DictReader(text.removeprefix("\ufeff").splitlines(keepends=True)))
        found = [row["body"] for row in reversed(read)]
        assert found == ["'=1+1", "'+44", "'-2", "'@SUM(A1)", "'\t=1", bodies[5], "plain", "? half", "é ☃"]
        assert read[0]["originator"] == "'+447700900123"
        cells = [cell for row in read for cell in row.values()]
        assert [cell for cell in cells if cell[:1] in "=+-@\t\r\n" and cell] == []


def test_a_file_is_sent_while_it_is_read(tmp_path: Path) -> None:
    """No more of the journal is in memory than a part: a file may have millions of rows."""
    with console_on(settings_of(tmp_path)) as console:
        now = console.journal.now()
        console.journal.record_all(
            [Entry(MessageReceived(account=REFERENCE, id=f"m{each}"), now) for each in range(1100)]
        )
        answer = console.app.test_client().get("/messages.jsonl", buffered=False)
        parts = [len(part.splitlines()) for part in answer.iter_encoded()]
        assert parts == [500, 500, 100]
        assert 'filename="messages.jsonl"' in answer.headers["Content-Disposition"]


def test_bodies_are_in_no_file_of_who_may_not_read_them(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in CSV nor in JSON lines, nor the texts that could not be read."""
    as_viewer(filled, monkeypatch)
    for path in ("/messages.csv", "/messages.jsonl"):
        text = filled.page(path)
        assert "good luck" not in text
        assert "It failed" not in text
        assert FIFTH in text


@pytest.mark.parametrize("number", [2**63, 10**30])
def test_a_number_that_no_row_can_have_is_no_defect(filled: Filled, number: int) -> None:
    """Neither engine takes it."""
    assert filled.get(f"/messages/{number}")[0] == 404
    assert filled.get(f"/messages/{2**63 - 1}")[0] == 404
    for path in ("/messages", "/audit"):
        assert filled.page(f"{path}?before={number}").count("<tr") == filled.page(path).count("<tr")


def test_actions_are_for_who_may_operate(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """The boxes and forms have the token and the fields of the filter; a viewer has neither."""
    monkeypatch.setitem(filled.app.jinja_env.globals, "csrf_token", lambda: "T0KEN")
    text = filled.page("/messages?state=dead&error=no+order&since=2026-03-02T08:00Z")
    assert text.count('type="checkbox"') == 3
    for verb in ("retry", "replay", "give-up"):
        assert f'formaction="/actions/{verb}"' in text
    form = re.search(r'<form class="action" method="post" action="/actions/retry">(.*?)</form>', text, re.DOTALL)
    assert form
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[1]))
    assert fields == {"csrf": "T0KEN", "state": "dead", "error": "no order", "since": "2026-03-02T08:00:00+00:00"}
    as_viewer(filled, monkeypatch)
    viewed = filled.page("/messages?state=dead")
    assert "/actions/" not in viewed
    assert "checkbox" not in viewed
