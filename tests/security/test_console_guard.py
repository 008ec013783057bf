"""Nobody gets past the console's guard: each view is asked without a login, as a viewer, from elsewhere, by tricks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.console.access.guard import CONTENT_SECURITY_POLICY, METRICS, PROBES
from soap_handler.journal import Journal, Selection, State
from soap_handler.settings import ConsoleSettings
from tests.console.access.desk import OTHER_HOST, PASSWORD, USERS, Browser, console_over, operator, store_dead
from tests.support.events import captured_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask

METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
FREE: Final = {"static", "access.login", "access.log_in", METRICS, *PROBES}
"""The views that need no login here: what they show is tested by name."""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as opened:
        store_dead(opened, 1, 3)
        yield opened


@pytest.fixture
def app(journal: Journal, tmp_path: Path) -> Flask:
    return console_over(journal, tmp_path, ConsoleSettings(user=USERS))


def addresses(app: Flask) -> Iterator[tuple[str, str]]:
    """Return a path of each view with each method, and of paths that lead nowhere."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint in FREE or rule.endpoint.endswith(".static"):
            continue
        arguments = {name: "retry" if name == "name" else "1" for name in rule.arguments}
        built = app.url_map.bind("localhost").build(rule.endpoint, arguments, method=next(iter(rule.methods or ())))
        for method in METHODS:
            yield method, built
    yield from (
        ("GET", path) for path in ("/no/such/page", "//audit", "/audit/", "/AUDIT", "/./audit", "/audit;/health/live")
    )


def none_was_touched(journal: Journal) -> bool:
    return len(journal.records(Selection(state=State.DEAD))) == 3


def test_each_view_asks_who_it_is(app: Flask, journal: Journal) -> None:
    """Without a login no view answers, whatever the method; a path that leads nowhere says the same."""
    asked = list(addresses(app))
    assert {path for _, path in asked} >= {"/", "/audit", "/actions/retry", "/logout"}
    for method, path in asked:
        answer = Browser(app).get(path, method=method)
        assert answer.status_code in {303, 401}, (method, path)
        assert "/login" in answer.headers.get("Location", "/login")
        assert b"EX0000001" not in answer.data
    assert none_was_touched(journal)


def test_a_viewer_changes_nothing(app: Flask, journal: Journal) -> None:
    """Each method but GET, HEAD and OPTIONS is for operators, even with the right token."""
    viewer = Browser(app)
    assert viewer.log_in("victor").status_code == 303
    for method, path in addresses(app):
        if method in {"GET", "HEAD", "OPTIONS"} or path == "/logout":
            continue
        answer = viewer.client.open(
            path, method=method, data={"csrf": viewer.own_token(), "confirm": "3"}, base_url="http://localhost:8081"
        )
        assert answer.status_code == 403, (method, path)
    assert none_was_touched(journal)


@pytest.mark.parametrize("token", [None, "", "0" * 64, "ä", "another's", "before the login"])
def test_a_forged_token_is_refused(app: Flask, journal: Journal, token: str | None) -> None:
    """The token of another session, of the time before the login, or none: nothing is done."""
    browser = Browser(app)
    before = browser.token()
    assert browser.log_in("olga").status_code == 303
    forged = {"another's": operator(app).own_token(), "before the login": before}.get(token or "", token)
    fields = {"confirm": "3"} if forged is None else {"confirm": "3", "csrf": forged}
    with captured_events() as events:
        assert browser.post("/actions/retry", fields).status_code == 403
    assert [(each["event"], each["reason"], each["user"]) for each in events] == [("console_refused", "token", "olga")]
    assert none_was_touched(journal)
    assert browser.post("/logout", fields).status_code == 403
    assert browser.get("/audit").status_code == 200


def test_a_login_needs_the_token_of_its_page(app: Flask) -> None:
    """Else another site could log its visitor in as a user of its own choice."""
    assert Browser(app).post("/login", {"name": "olga", "password": PASSWORD}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "http://localhost"},
        {"Origin": "file://localhost:8081"},
        {"Origin": "http://[broken"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
        {"Sec_Fetch_Site": "same-site", "Origin": "http://localhost:8081"},
    ],
)
def test_a_form_from_elsewhere_is_refused(app: Flask, journal: Journal, headers: dict[str, str]) -> None:
    """Even with the right token and cookie: a browser says from where it comes."""
    assert operator(app).act("retry", {"kind": "MessageReceived", "confirm": "3"}, **headers).status_code == 403
    assert none_was_touched(journal)


def test_our_own_form_is_taken(app: Flask, journal: Journal) -> None:
    """What a browser sends with the console's own form is no other origin."""
    own = {"Origin": "http://localhost:8081", "Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "navigate"}
    assert operator(app).act("retry", {"kind": "MessageReceived", "confirm": "3"}, **own).status_code == 303
    assert not none_was_touched(journal)


def test_a_page_is_no_part_of_another_site(app: Flask) -> None:
    """A link from elsewhere opens a page; a script, picture or frame of elsewhere gets none."""
    browser = operator(app)
    assert browser.get("/audit", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status_code == 200
    assert browser.get("/audit", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "a, localhost", "[", ""]
)
def test_a_name_that_was_rebound_is_refused(app: Flask, host: str) -> None:
    """DNS rebinding: a page whose own name is made to lead here would else be the console's own origin."""
    asked = [Browser(app).get(path, Host=host).status_code for path in ("/", "/login", "/metrics", "/static/x.css")]
    assert asked == [421] * 4
    assert Browser(app).get("/health/live", Host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8081", "localhost.", "127.0.0.1", "[::1]:8081", "10.0.0.5:8081"]
)
def test_an_address_is_no_name(app: Flask, host: str) -> None:
    """What no name server can forge is taken."""
    assert Browser(app).get("/login", Host=host).status_code == 200


def test_each_answer_has_the_security_headers(app: Flask) -> None:
    """Pages, refusals, redirects, probes and errors alike."""
    browser = operator(app)
    answers = [browser.get(path) for path in ("/", "/audit", "/no/such", "/health/live", "/metrics", "/actions/retry")]
    answers += [Browser(app).get("/audit"), Browser(app).get("/", Host="evil.example"), Browser(app).get("/login")]
    for answer in answers:
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"
        assert re.search(r"<script(?! src=)|<style|style=|\son\w+=", answer.text) is None


def test_health_is_for_each_caller(app: Flask) -> None:
    """Probes have no password, and learn nothing of what is in the journal."""
    assert Browser(app, address=OTHER_HOST).get("/health/ready").json == {"status": "ready", "reasons": []}


def test_metrics_are_for_this_machine_and_who_is_named(app: Flask, journal: Journal, tmp_path: Path) -> None:
    """Another address needs a login or its network in metrics_allow_from; a proxy's own address proves none."""
    assert Browser(app).get("/metrics").status_code == 200
    assert Browser(app).get("/metrics", X_Forwarded_For=OTHER_HOST).status_code == 403
    refused = Browser(app, address=OTHER_HOST).get("/metrics", Accept="text/plain")
    assert (refused.status_code, "console.metrics_allow_from" in refused.text) == (403, True)
    viewer = Browser(app, address=OTHER_HOST)
    viewer.log_in("victor")
    assert viewer.get("/metrics").status_code == 200
    settings = ConsoleSettings.model_validate({"user": USERS, "metrics_allow_from": ["192.0.2.0/28"]})
    opened = console_over(journal, tmp_path, settings)
    assert Browser(opened, address=OTHER_HOST).get("/metrics").status_code == 200
    assert Browser(opened, address="192.0.2.77").get("/metrics").status_code == 403
    assert Browser(opened, address=OTHER_HOST).get("/audit").status_code == 303


@pytest.mark.parametrize(
    "path", ["/static/../access/views.py", "/static/%2e%2e/health.py", "/static/..%2fhealth.py", "/static//etc/passwd"]
)
def test_static_files_are_no_way_out(app: Flask, path: str) -> None:
    """Only what lies in the folder is served."""
    assert operator(app).get(path).status_code in {303, 308, 404}


def test_a_script_that_is_logged_out_is_told_so(app: Flask) -> None:
    """It gets 401 and not the page to log in with, which it would put in the place of a fragment."""
    assert Browser(app).get("/audit", Sec_Fetch_Mode="cors", Sec_Fetch_Site="same-origin").status_code == 401
    assert Browser(app).get("/audit", Accept="application/json").status_code == 401
