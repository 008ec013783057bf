"""What holds of each page: its policy, no script or style in it, no secret, well-formed, and a journal out of reach."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.console.access.guard import CONTENT_SECURITY_POLICY
from tests.console.pages.filled import Filled, console_on, settings_of
from tests.support.wire import OTHER_PASSWORD, PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

PATHS: Final = [
    "/", "/?refresh=15", "/messages", "/messages?state=dead&error=KeyError", "/messages?since=nonsense",
    "/messages/{dead}", "/messages/{done}", "/messages/{received}", "/messages/99999", "/dead", "/waiting",
    "/reconciliations", "/reconciliations?account=EX0012345", "/destinations", "/accounts", "/settings",
    "/audit", "/nowhere",
]  # fmt: skip
SECRETS: Final = [PASSWORD, OTHER_PASSWORD, "hunter2", "T0K3N", "t0ps3cret"]
VOID: Final = {"meta", "link", "input", "br", "rect", "line"}


class Reader(HTMLParser):
    """Reads a page, and notes what is wrong with its form."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        self.wrong += [f"{tag} {name}" for name in names if name.startswith("on") or name == "style"]
        self.wrong += [f"{tag} {name}" for name, value in attrs if (value or "").strip().startswith("javascript:")]
        self.wrong += ["a script without a source"] * (tag == "script" and "src" not in names)
        self.wrong += ["a style"] * (tag == "style")
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_sound(filled: Filled, path: str) -> None:
    """Each has the policy, is well-formed, runs nothing of its own, and shows no secret."""
    answer = filled.app.test_client().get(filled.path(path))
    text = answer.get_data(as_text=True)
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
    reader = Reader()
    reader.feed(text)
    assert (reader.wrong, reader.open) == ([], [])
    assert len(reader.ids) == len(set(reader.ids))
    assert [secret for secret in SECRETS if secret in text] == []
    assert text.count("<h1>") == 1


def test_each_page_is_reached_from_each(filled: Filled) -> None:
    """The navigation names all, and says which one is the present one."""
    text = filled.page("/dead")
    links = re.findall(r'<li><a href="([^"]+)"( aria-current="page")?>([^<]+)</a></li>', text)
    assert [name for _, current, name in links if current] == ["Dead"]
    assert len(links) >= 8
    for path, _, name in links:
        assert f'aria-current="page">{name}</a>' in filled.page(path)


def test_nothing_is_changed_by_looking(filled: Filled) -> None:
    """A page answers GET alone."""
    client = filled.app.test_client()
    rules = [rule for rule in filled.app.url_map.iter_rules() if rule.endpoint.startswith("pages.")]
    assert len(rules) >= 10
    assert {method for rule in rules for method in rule.methods or ()} == {"GET", "HEAD", "OPTIONS"}
    assert client.post("/messages").status_code in {403, 405}


def test_a_journal_out_of_reach_is_said(tmp_path: Path) -> None:
    """The answer is a page with the reason, and 503; the console itself goes on."""
    with console_on(settings_of(tmp_path)) as console:
        for path in tmp_path.glob("journal.db*"):
            path.write_bytes(b"this is no journal" * 1000)
        status, text = console.get("/messages")
        assert status == 503
        assert "The journal is out of reach" in text
