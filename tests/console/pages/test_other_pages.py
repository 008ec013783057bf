"""Dead and waiting by error, reconciliations, destinations, accounts, and the settings with where each came from."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from soap_handler.console.pages.configuration import MASK, rows
from soap_handler.metrics.catalogue import CIRCUIT_OPEN
from soap_handler.settings import load_settings
from tests.console.pages.filled import Filled, as_viewer, console_on, settings_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def forms(page: str) -> list[tuple[str, dict[str, str]]]:
    """Return the verb and the fields of each form of an action, without the token."""
    found = re.findall(r'action="/actions/([\w-]+)">(.*?)</form>', page, re.DOTALL)
    return [(verb, dict(re.findall(r'name="(?!csrf)(\w+)" value="([^"]*)"', fields))) for verb, fields in found]


def test_the_dead_are_grouped_by_error(filled: Filled) -> None:
    """The most frequent first, each with its count, a link to all of them, and a form that sends them round."""
    page = filled.page("/dead")
    assert "Dead 4" in text_of(page)
    assert text_of(page).index("3 KeyError: no order 7") < text_of(page).index("1 sqlalchemy.exc.OperationalError")
    assert forms(page)[:2] == [
        ("retry", {"state": "dead"}),
        ("retry", {"state": "dead", "error": "KeyError: no order 7"}),
    ]
    link = re.search(r'href="(/messages\?[^"]*KeyError[^"]*)"', page)
    assert link
    assert filled.page(html.unescape(link[1])).count('class="state dead"') == 3


def test_what_waits_is_grouped_too(filled: Filled) -> None:
    """For its handler and for its delete: how much is due, and what it failed by."""
    page = text_of(filled.page("/waiting"))
    for part in (
        "For its handler 6 Of these 4 due, 2 to be tried later",
        "1 ValueError: no vote in it",
        "4 has not failed",
        "To leave the inbox 9 Of these 7 due, 2 to be tried later",
        "2 EMS answered HTTP 503",
    ):
        assert part in page, part
    verbs = forms(filled.page("/waiting"))
    assert verbs[0] == ("give-up", {"state": "received"})
    assert {fields["state"] for _, fields in verbs} == {"received"}


def test_a_viewer_sees_no_form(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """The groups stay."""
    as_viewer(filled, monkeypatch)
    for path in ("/dead", "/waiting"):
        assert "<form" not in filled.page(path)
    assert "KeyError: no order 7" in filled.page("/dead")


def test_nothing_dead_is_said(tmp_path: Path) -> None:
    """An empty page would look broken."""
    with console_on(settings_of(tmp_path)) as console:
        assert "Nothing is dead." in console.page("/dead")
        assert console.page("/waiting").count("Nothing waits.") == 2
        assert "There is no record of any." in console.page("/reconciliations")


def test_reconciliations_show_their_sum(filled: Filled) -> None:
    """Inbox = known + recovered + unreadable, and why one failed; of one account on its link."""
    cells = re.findall(r'<td class="right"[^>]*>(?:<b>)?(\d+)', filled.page("/reconciliations"))
    runs = [tuple(map(int, cells[at : at + 5])) for at in range(0, len(cells), 5)]
    assert runs == [(9, 7, 1, 1, 3), (0, 0, 0, 0, 0), (12, 10, 2, 0, 0)]
    assert all(inbox == known + recovered + unreadable for inbox, known, recovered, unreadable, _ in runs)
    assert "EMS refused the login" in filled.page("/reconciliations?account=EX0012345")
    assert "There is no record of any." in filled.page("/reconciliations?account=EX0067890")


def test_a_paused_destination_is_open(filled: Filled) -> None:
    """Each destination has its breaker, its latest delivery, its routes and its settings."""
    page = text_of(filled.page("/destinations"))
    assert "orders webhook Circuit breaker open" in page
    assert "paused," in page
    assert "python handlers Circuit breaker closed" in page
    assert f"url https://hooks.example.com:8443/{MASK}" in page
    assert "1 MessageEvent any orders" in page


def test_an_open_breaker_of_a_worker_is_seen_at_once(tmp_path: Path) -> None:
    """The workers say so in shared memory, before any attempt is in the journal; and that it is closed again."""
    with console_on(settings_of(tmp_path)) as console:
        for of, name, path in (("sink", "orders", "/destinations"), ("inbox", "EX0012345", "/accounts")):
            for value, there in ((1.0, True), (0.0, False)):
                console.slot.set(CIRCUIT_OPEN, (of, name), value)
                assert ("open" in re.findall(r'"state dead">[a-z ]*(open)', console.page(path))) is there


def test_accounts_show_their_inbox(filled: Filled) -> None:
    """How EMS proves itself, since when a login is refused, the last reconciliation."""
    page = text_of(filled.page("/accounts"))
    for part in (
        "1 password (user ems)",
        "login refused since",
        "3 times; next try in 3 min",
        "9 in the inbox = 7 known",
    ):
        assert part in page, part


def test_settings_say_where_each_came_from(tmp_path: Path) -> None:
    """The file, a variable, a secret file, or the default; and no secret, in whatever table."""
    (tmp_path / "push").write_text("from-a-file-1\n")
    file = tmp_path / "sms.toml"
    file.write_text("""
        [server]
        port = 9000
        [handler]
        ignore = ["MessageReceived", "MessageEvent", "MessageError", "SubscriptionEvent"]
        [[account]]
        reference = "EX0012345"
        [[account.push]]
        username = "ems"
        password_file = "push"
        [account.inbox]
        username = "inbox-user"
        password = "inbox-s3cret"
        proxy = "http://me:proxy-s3cret@proxy.example.com:3128"
        [sink.run]
        type = "command"
        command = ["/bin/true", "--token", "argument-s3cret"]
    """)
    environ = {
        "SOAP_HANDLER_SERVER__THREADS": "7",
        "SOAP_HANDLER_JOURNAL__URL": "postgresql+psycopg://me:db-s3cret@db.example.com/sms",
    }
    settings = load_settings(file, environ)
    found = {f"{table.table}.{row.name}": (row.value, row.origin) for table in rows(settings) for row in table.rows}
    assert found["server.port"] == ("9000", "sms.toml")
    assert found["server.threads"] == ("7", "SOAP_HANDLER_SERVER__THREADS")
    assert found["server.workers"] == ("1", "default")
    assert found["account[0].push[0].password"] == (MASK, "sms.toml: push")
    assert found["account[0].inbox.proxy"][0] == "http://***@proxy.example.com:3128"
    assert found["journal.url"] == ("postgresql+psycopg://***@db.example.com/sms", "SOAP_HANDLER_JOURNAL__URL")
    assert found["sink.run.command"] == ("/bin/true and 2 arguments", "sms.toml")
    shown = str(found)
    assert "s3cret" not in shown
    assert "from-a-file" not in shown


def test_the_page_has_the_settings(filled: Filled) -> None:
    """Tables in the order of the file; what a source says is told apart from defaults."""
    page = text_of(filled.page("/settings"))
    assert f"bearer_token {MASK}" in page
    assert "timeout 10.0 default" in page
