"""Logging in to the console: sessions, their cookies and their end, wrong passwords, and who may enter without."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.accounts.throttle import Throttle
from soap_handler.console.access.logins import LoginRefused, Logins
from soap_handler.console.access.sessions import Sessions
from soap_handler.console.access.visitors import EXTENSION
from soap_handler.settings import ConsoleSettings
from tests.console.access.desk import OTHER_HOST, PASSWORD, USERS, Browser, console_over
from tests.support.events import captured_events

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

    from soap_handler.accounts.passwords import PasswordHash
    from soap_handler.journal import Journal

HTTPS: Final = "https://console.example.com"


def test_a_user_logs_in_and_out(app: Flask) -> None:
    """The page that was asked for comes after the login; after the logout the same cookie opens nothing."""
    browser = Browser(app)
    asked = browser.get("/audit?before=7")
    assert (asked.status_code, asked.location) == (303, "/login?next=/audit?before%3D7")
    with captured_events() as events:
        entered = browser.log_in("olga", next="/audit?before=7")
    assert (entered.status_code, entered.location) == (303, "/audit?before=7")
    assert [(each["event"], each.get("user")) for each in events] == [("console_login", "olga")]
    assert browser.get("/audit").status_code == 200
    kept = browser.cookies()
    assert browser.post("/logout", {"csrf": browser.own_token()}).location == "/login"
    assert browser.get("/audit").status_code == 303
    for name, value in kept.items():
        browser.client.set_cookie(name, value)
    assert browser.get("/audit").status_code == 303


@pytest.mark.parametrize(
    ("name", "password"), [("olga", "wrong"), ("nobody-of-this-name", PASSWORD), ("", ""), ("OLGA", PASSWORD)]
)
def test_a_wrong_login_is_refused(app: Flask, name: str, password: str) -> None:
    """The answer does not tell a wrong name from a wrong password, and the log repeats neither."""
    browser = Browser(app, address=f"127.0.0.{len(name) + 2}")
    with captured_events() as events:
        answer = browser.log_in(name, password)
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert browser.get("/audit").status_code == 303
    assert [each["event"] for each in events] == ["console_login_refused"]
    assert not any(given and given in str(events) for given in (name, password))


def test_a_stranger_is_not_told_where_the_database_is(app: Flask) -> None:
    """A probe needs no login; what the database said is for those who have one, and for this machine."""
    said = 'the journal does not commit: OperationalError: to 10.1.2.3 failed: password of user "soap_handler"'
    app.extensions["soap_handler"].health.reasons = (said,)
    stranger = Browser(app, address=OTHER_HOST)
    answer = stranger.get("/health/ready")
    assert (answer.status_code, json.loads(answer.text)["reasons"]) == (503, ["the journal does not commit"])
    assert stranger.log_in("victor").status_code == 303
    for browser in (stranger, Browser(app)):
        assert json.loads(browser.get("/health/ready").text)["reasons"] == [said]


def test_each_login_has_a_new_session(app: Flask) -> None:
    """Session fixation: the id that a browser had before, from whatever hand, is worth nothing after the login."""
    mallory = Browser(app)
    token = mallory.token()
    planted = mallory.cookies()
    victim = Browser(app)
    for name, value in planted.items():
        victim.client.set_cookie(name, value)
    assert victim.post("/login", {"csrf": token, "name": "olga", "password": PASSWORD}).status_code == 303
    assert victim.get("/audit").status_code == 200
    assert mallory.get("/audit").status_code == 303
    assert victim.cookies() != planted


def test_a_second_login_ends_the_first_session(app: Flask) -> None:
    """In one browser there is one session."""
    browser = Browser(app)
    browser.log_in("olga")
    first = browser.cookies()
    token = browser.own_token()
    assert browser.post("/login", {"csrf": token, "name": "victor", "password": PASSWORD}).status_code == 303
    other = Browser(app)
    for name, value in first.items():
        other.client.set_cookie(name, value)
    assert other.get("/audit").status_code == 303
    assert browser.get("/audit").status_code == 200


def test_a_session_ends_by_itself() -> None:
    """The server keeps the time: a stolen cookie is worth no more than what is left of it, used or not."""
    now = [0.0]
    sessions = Sessions(10.0, lambda: now[0])
    session = sessions.begin("olga")
    now[0] = 9.9
    assert sessions.name_of(session) == "olga"
    now[0] = 10.0
    assert sessions.name_of(session) is None
    assert sessions.name_of("made up") is None


def test_the_oldest_session_goes_first() -> None:
    """Memory is bounded: no number of logins fills it."""
    sessions = Sessions(10.0)
    first, *others = [sessions.begin("olga") for _ in range(1_001)]
    assert sessions.name_of(first) is None
    assert {sessions.name_of(each) for each in others} == {"olga"}


def test_the_cookie_is_for_this_browser_alone(app: Flask) -> None:
    """No script reads it and no form of another site sends it."""
    (cookie,) = Browser(app).log_in("olga").headers.getlist("Set-Cookie")
    assert cookie.startswith("soap_handler=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_behind_https_the_cookie_is_of_this_host(journal: Journal, tmp_path: Path) -> None:
    """The scheme is the trusted proxy's to say; no page of http or of a sibling domain can set such a cookie."""
    settings = {"user": USERS, "names": ["console.example.com"], "trusted_proxies": ["127.0.0.1"]}
    app = console_over(journal, tmp_path, ConsoleSettings.model_validate(settings))
    browser = Browser(app, base="http://console.example.com")
    page = browser.get("/login", X_Forwarded_Proto="https")
    (cookie,) = page.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-soap_handler=")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
    told = Browser(app, address=OTHER_HOST, base="http://console.example.com").get("/login", X_Forwarded_Proto="https")
    assert "Secure" not in told.headers["Set-Cookie"]


def test_guesses_are_slowed(app: Flask) -> None:
    """Beyond the budget the answer is 429 with a time, right passwords from other addresses are taken at once."""
    browser = Browser(app)
    assert [browser.log_in("olga", f"guess {number}").status_code for number in range(5)] == [401] * 3 + [429] * 2
    refused = browser.log_in("olga", "guess 6")
    assert 1 <= int(refused.headers["Retry-After"]) <= 5
    assert "Try again in" in refused.text
    assert Browser(app, address="127.0.0.9").log_in("olga").status_code == 303


def test_a_guesser_does_not_lock_out_who_was_right_before(app: Flask) -> None:
    """A password that was right once is recognised before the throttle is asked, at the same address too."""
    assert Browser(app).log_in("olga").status_code == 303
    for number in range(9):
        Browser(app).log_in("olga", f"guess {number}")
    assert Browser(app).log_in("olga").status_code == 303


def test_a_right_password_beyond_the_budget_comes_through() -> None:
    """It is checked when it comes again, and not taken for a guess."""
    now = [0.0]
    logins = Logins(USERS, Throttle(1, 5.0, lambda: now[0]))
    for number in range(4):
        with pytest.raises(LoginRefused):
            logins.check("olga", f"guess {number}", OTHER_HOST)
    for _ in range(4):
        now[0] += 2
        try:
            logins.check("olga", PASSWORD, OTHER_HOST)
            break
        except LoginRefused:
            continue
    else:
        pytest.fail("the right password was never checked")


def test_an_unknown_name_costs_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number of hashes is computed, of the same cost: time tells no names."""
    computed: list[int] = []
    verify = "soap_handler.accounts.passwords.PasswordHash.verify"

    def never(self: PasswordHash, _: str) -> bool:
        computed.append(self.ln)
        return False

    monkeypatch.setattr(verify, never)
    for name in ("olga", "victor", "no such name"):
        with pytest.raises(LoginRefused):
            Logins(USERS, Throttle(9, 5.0)).check(name, "wrong", OTHER_HOST)
    assert computed == [4, 4, 4]


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "/\t/evil.example", "\\\\evil", "/login", ""],
)
def test_a_login_leads_to_no_other_site(app: Flask, target: str) -> None:
    """An open redirect would lend the console's name to another page."""
    assert Browser(app).log_in("olga", next=target).location == "/"


def test_without_users_this_machine_looks(journal: Journal, tmp_path: Path) -> None:
    """It is a viewer without bodies; through a proxy, or from elsewhere, it is not let in at all."""
    app = console_over(journal, tmp_path, ConsoleSettings())
    assert Browser(app).get("/audit").status_code == 200
    assert Browser(app, base="http://[::1]:8081").get("/audit").status_code == 200
    assert Browser(app).act("retry", {}).status_code == 403
    for header in ("X_Forwarded_For", "X_Real_Ip", "Via", "Forwarded"):
        answer = Browser(app).get("/audit", **{header: "127.0.0.1"})
        assert (answer.status_code, "console.user" in answer.text) == (401, True)
    assert Browser(app, address=OTHER_HOST).get("/audit").status_code == 401


@pytest.mark.parametrize(
    ("user", "bodies", "reads"),
    [
        ("olga", "operators", True),
        ("olga", "nobody", False),
        ("victor", "operators", False),
        (None, "operators", False),
    ],
)
def test_who_reads_bodies(journal: Journal, tmp_path: Path, user: str | None, bodies: str, reads: bool) -> None:  # noqa: FBT001 - a case
    """Operators do, where the settings let them; viewers never, and neither does who needs no login."""
    users = USERS if user else ()
    app = console_over(journal, tmp_path, ConsoleSettings.model_validate({"bodies": bodies, "user": users}))
    found: list[object] = []
    app.add_url_rule("/told", view_func=lambda: str(found.append(app.jinja_env.globals["may_read_bodies"]())))  # type: ignore[operator, func-returns-value] # it is a function
    browser = Browser(app)
    if user:
        browser.log_in(user)
    browser.get("/told")
    assert found == [reads]


def test_passwords_are_kept_out_of_what_is_shown(app: Flask) -> None:
    """No hash is on the page of the settings, nor in the settings when they are printed."""
    browser = Browser(app)
    browser.log_in("olga")
    shown = browser.get("/settings").text + repr(app.extensions[EXTENSION].settings)
    assert "olga" in shown
    assert [each.name for each in USERS if each.password.get_secret_value() in shown] == []
