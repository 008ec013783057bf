"""A reload of the users: new ones enter, sessions of those who are gone end, a role holds from the next request on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from soap_handler.accounts.passwords import PasswordHash
from soap_handler.console.application import take_up
from soap_handler.server.reload import applied, unapplied_changes
from soap_handler.settings import ConsoleSettings, ConsoleUser, Settings
from tests.console.access.desk import OTHER_HOST, PASSWORD, USERS, Browser, operator
from tests.support.service import serving, settings_for
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

OLGA, VICTOR = USERS


def reload(app: Flask, **console: Any) -> None:
    """Reload a console with other settings of its table."""
    settings: Settings = app.extensions["soap_handler"].settings
    after = settings.model_copy(update={"console": ConsoleSettings(**console)})
    take_up(app, applied(settings, after))


@pytest.fixture(autouse=True)
def with_metrics(app: Flask) -> None:
    """Let the stand-in of the desk be told of accounts: it does not count."""
    app.extensions["soap_handler"].exposition.expect = lambda *_: None


def test_a_user_who_is_removed_is_logged_out(app: Flask) -> None:
    """The session ends at once, and does not come back with the user; another user's goes on."""
    olga, victor = operator(app), Browser(app)
    victor.log_in("victor")
    reload(app, user=(VICTOR,))
    assert olga.get("/audit").status_code == 303
    assert olga.log_in("olga").status_code == 401
    assert victor.get("/audit").status_code == 200
    reload(app, user=USERS)
    assert olga.get("/audit").status_code == 303
    assert olga.log_in("olga").status_code == 303


def test_a_new_password_ends_the_sessions_of_the_old_one(app: Flask) -> None:
    """Those who knew the old one are out."""
    olga = operator(app)
    fresh = ConsoleUser(name="olga", password=SecretStr(str(PasswordHash.of("another", ln=4))), role="operator")
    reload(app, user=(fresh, VICTOR))
    assert olga.get("/audit").status_code == 303
    assert olga.log_in("olga", PASSWORD).status_code == 401
    assert olga.log_in("olga", "another").status_code == 303


def test_a_role_holds_from_the_next_request_on(app: Flask) -> None:
    """The session goes on, and may do what the role may do now."""
    olga = operator(app)
    reload(app, user=(OLGA.model_copy(update={"role": "viewer"}), VICTOR))
    assert olga.get("/audit").status_code == 200
    assert olga.act("retry", {"state": "dead"}).status_code == 403


def test_what_is_the_same_ends_no_session(app: Flask) -> None:
    """A reload for another reason is not noticed."""
    olga = operator(app)
    reload(app, user=USERS, session=60)
    assert olga.get("/audit").status_code == 200


def test_guesses_are_not_forgiven(app: Flask) -> None:
    """The budget of an address goes on through a reload."""
    guesser = Browser(app, address=OTHER_HOST)
    for number in range(9):
        guesser.log_in("olga", f"guess {number}")
    reload(app, user=USERS)
    assert guesser.log_in("olga", "guess again").status_code == 429


def test_networks_and_tokens_are_taken_up(app: Flask) -> None:
    """All of the table, but the address that is listened on."""
    asking = {"Authorization": "Bearer a-long-random-text-of-our-own"}
    assert Browser(app, address=OTHER_HOST).get("/metrics", **asking).status_code == 403
    reload(app, user=USERS, metrics_token="a-long-random-text-of-our-own")
    assert Browser(app, address=OTHER_HOST).get("/metrics", **asking).status_code == 200


@pytest.mark.parametrize(
    ("before", "after", "in_use", "needs_restart"),
    [
        ({"user": USERS}, {"user": (OLGA,)}, {"user": (OLGA,)}, []),
        ({"user": USERS}, {"user": (OLGA,), "port": 9}, {"user": (OLGA,)}, ["console"]),
        ({"user": USERS}, None, {"user": USERS}, ["console"]),
        (None, {"user": USERS}, None, ["console"]),
        ({"user": USERS, "host": "0.0.0.0"}, {}, {"user": USERS, "host": "0.0.0.0"}, ["console"]),  # noqa: S104
    ],
)
def test_the_address_is_that_of_the_start(
    tmp_path: Path,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    in_use: dict[str, Any] | None,
    needs_restart: list[str],
) -> None:
    """What a restart alone takes up is said; the address that is reached from elsewhere never loses its users."""

    def settings(console: dict[str, Any] | None) -> Settings:
        made = None if console is None else ConsoleSettings(**console)
        return settings_for(tmp_path).model_copy(update={"console": made})

    assert applied(settings(before), settings(after)).console == settings(in_use).console
    assert unapplied_changes(settings(before), settings(after)) == needs_restart


def test_a_service_in_one_process_takes_them_up(tmp_path: Path) -> None:
    """The console within it hears of the reload of the accounts."""
    console = ConsoleSettings(port=0, user=USERS)
    settings = settings_for(tmp_path).model_copy(update={"console": console})
    with serving(settings) as service:
        service.app.reload(settings.model_copy(update={"console": ConsoleSettings(port=0, user=(VICTOR,))}))
        assert service.app.console is not None
        application: Any = service.app.console.application
        wait_for(lambda: Browser(application).log_in("olga").status_code == 401)
        assert Browser(application).log_in("victor").status_code == 303
