"""The token of the metrics: from a file too, for /metrics and the reasons of readiness, and for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from pydantic import SecretStr

from soap_handler.errors import SettingsError
from soap_handler.settings import ConsoleSettings, load_settings
from tests.console.access.desk import OTHER_HOST, USERS, Browser, console_over

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

    from soap_handler.journal import Journal

TOKEN: Final = "a-long-random-text-of-our-own"
FILE: Final = """
[console]
metrics_token_file = "token"
[[account]]
reference = "EX0012345"
anonymous = true
"""


@pytest.fixture
def with_token(journal: Journal, tmp_path: Path) -> Flask:
    return console_over(journal, tmp_path, ConsoleSettings(user=USERS, metrics_token=SecretStr(TOKEN)))


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer  {TOKEN}", f"BEARER {TOKEN} "])
def test_it_opens_the_metrics(with_token: Flask, authorization: str) -> None:
    """From any address, without a login and a cookie."""
    answer = Browser(with_token, address=OTHER_HOST).get("/metrics", Authorization=authorization)
    assert (answer.status_code, "soap_handler_ready" in answer.text) == (200, True)


@pytest.mark.parametrize(
    "authorization",
    [
        "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN,
        f"Bearer {TOKEN.upper()}", "Bearer \xe4", f"Bearer {TOKEN}, Bearer {TOKEN}",
    ],
)  # fmt: skip
def test_anything_else_is_refused(with_token: Flask, authorization: str) -> None:
    """With 401 and the scheme, as a scraper expects it."""
    answer = Browser(with_token, address=OTHER_HOST).get("/metrics", Authorization=authorization)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "soap_handler_ready" not in answer.text
    assert TOKEN not in answer.text


def test_it_opens_nothing_else(with_token: Flask) -> None:
    """No page, no file, no action: it is no user."""
    browser = Browser(with_token, address=OTHER_HOST)
    for path in ("/", "/messages", "/messages.csv", "/audit", "/settings"):
        assert browser.get(path, Authorization=f"Bearer {TOKEN}").status_code == 303
    assert browser.post("/actions/retry", {"state": "dead"}, Authorization=f"Bearer {TOKEN}").status_code == 401


def test_it_shows_why_the_service_is_not_ready(with_token: Flask) -> None:
    """A monitor on another machine reads the whole reason; a stranger its first words."""
    said = "the journal does not commit: no route to 10.1.2.3"
    with_token.extensions["soap_handler"].health.reasons = (said,)
    monitor = Browser(with_token, address=OTHER_HOST).get("/health/ready", Authorization=f"Bearer {TOKEN}")
    assert (monitor.status_code, monitor.json["reasons"]) == (503, [said])  # type: ignore[index] # it is JSON
    stranger = Browser(with_token, address=OTHER_HOST).get("/health/ready", Authorization="Bearer guessed")
    assert stranger.json["reasons"] == ["the journal does not commit"]  # type: ignore[index] # as above


def test_without_a_token_none_is_taken(journal: Journal, tmp_path: Path) -> None:
    """An empty token is none either."""
    app = console_over(journal, tmp_path, ConsoleSettings(user=USERS))
    for given in ("Bearer ", "Bearer None", f"Bearer {TOKEN}"):
        assert Browser(app, address=OTHER_HOST).get("/metrics", Authorization=given).status_code == 403


def test_it_may_lie_in_a_file(tmp_path: Path) -> None:
    """As the other secrets: the file that Prometheus reads can be the same."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "sms.toml").write_text(FILE)
    console = load_settings(tmp_path / "sms.toml", {}).console
    assert console is not None
    assert console.metrics_token == SecretStr(TOKEN)
    assert TOKEN not in repr(console)


@pytest.mark.parametrize("token", ["short", "x" * 19, "with a space in the middle", "ümlaut-ümlaut-ümlaut-1"])
def test_a_token_that_can_be_guessed_or_sent_by_none_is_refused(tmp_path: Path, token: str) -> None:
    """It is long, and of signs that a header carries."""
    (tmp_path / "token").write_text(token)
    (tmp_path / "sms.toml").write_text(FILE)
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "sms.toml", {})
    assert "at least 20 letters" in str(caught.value)
    assert token not in str(caught.value)
