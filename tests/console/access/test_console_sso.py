"""Single sign-on: a trusted proxy names the user; from any other peer, or twice, the header says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.journal import trail
from soap_handler.settings import ConsoleSettings
from tests.console.access.desk import OTHER_HOST, USERS, Browser, console_over, store_dead

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

    from soap_handler.journal import Journal

PROXY: Final = "192.0.2.1"


@pytest.fixture
def app(journal: Journal, tmp_path: Path) -> Flask:
    """Return a console behind a proxy that knows who is calling."""
    settings = {
        "host": "0.0.0.0",  # noqa: S104 - what is tested is who may reach it
        "sso_header": "X-Remote-User",
        "sso_operators": ["olga", "Jürgen"],
        "trusted_proxies": [PROXY],
    }
    app = console_over(journal, tmp_path, ConsoleSettings.model_validate(settings))
    app.add_url_rule("/token", view_func=lambda: str(app.jinja_env.globals["csrf_token"]()))  # type: ignore[operator] # it is a function
    return app


def token(browser: Browser, user: str) -> str:
    """Return the token that the user's pages have, with the cookie that the browser then keeps."""
    return browser.get("/token", X_Remote_User=user).text


def test_the_proxy_says_who_it_is(app: Flask, journal: Journal) -> None:
    """A named operator acts, and the trail has the name and the caller behind the proxy; all others look."""
    store_dead(journal, 1, 2)
    browser = Browser(app, address=PROXY, base="https://console.example.com")
    signed_on = {"X_Remote_User": "olga", "X_Forwarded_For": OTHER_HOST}
    assert browser.post("/actions/retry", {}, **signed_on).status_code == 403
    fields = {"csrf": token(browser, "olga"), "confirm": "2", "state": "dead"}
    assert browser.post("/actions/retry", fields, **signed_on).status_code == 303
    (row,) = trail(journal, 9)
    assert (row.who, row.caller, row.notifications) == ("olga", OTHER_HOST, 2)
    assert browser.get("/audit", X_Remote_User="victor").status_code == 200
    fields = {"csrf": token(browser, "victor"), "confirm": "1"}
    assert browser.post("/actions/retry", fields, X_Remote_User="victor").status_code == 403


def test_a_token_is_of_one_user(app: Flask) -> None:
    """With the same cookie it is worth nothing for another operator: cookies can be planted, names cannot."""
    browser = Browser(app, address=PROXY, base="https://console.example.com")
    fields, other = {"csrf": token(browser, "olga")}, "Jürgen".encode().decode("latin-1")
    assert browser.post("/actions/retry", fields, X_Remote_User=other).status_code == 403
    fields = {"csrf": token(browser, other), "state": "dead"}
    assert browser.post("/actions/retry", fields, X_Remote_User=other).status_code == 200


@pytest.mark.parametrize("address", [OTHER_HOST, "127.0.0.1", "unix"])
def test_from_elsewhere_the_header_says_nothing(app: Flask, address: str) -> None:
    """Smuggling: who is not the proxy cannot name anybody, whatever is claimed to be forwarded."""
    for more in ({}, {"X_Forwarded_For": PROXY}):
        answer = Browser(app, address=address).get("/audit", X_Remote_User="olga", **more)
        assert answer.status_code == 401
    assert "console.sso_header" in answer.text


@pytest.mark.parametrize("name", ["", " ", "victor, olga", "olga,", "o" * 201, "ol\tga"])
def test_what_is_no_name_names_nobody(app: Flask, name: str) -> None:
    """Two headers are joined with a comma: one of them is the caller's own."""
    assert Browser(app, address=PROXY).get("/audit", X_Remote_User=name).status_code == 401


def test_a_header_of_two_is_refused(app: Flask) -> None:
    """A proxy that adds its header beside the caller's does not let the caller choose."""
    client = app.test_client()
    answer = client.get(
        "/audit",
        headers=[("X-Remote-User", "olga"), ("X-Remote-User", "victor"), ("Accept", "text/html")],
        environ_overrides={"REMOTE_ADDR": PROXY},
    )
    assert answer.status_code == 401


def test_users_may_log_in_beside(journal: Journal, tmp_path: Path) -> None:
    """Where there are users too, a proxy that names none leaves the way by password."""
    settings = {"sso_header": "X-Remote-User", "trusted_proxies": ["127.0.0.1"], "user": USERS}
    app = console_over(journal, tmp_path, ConsoleSettings.model_validate(settings))
    assert Browser(app).log_in("olga").status_code == 303
    assert Browser(app, address=OTHER_HOST).get("/audit", X_Remote_User="olga").status_code == 303
