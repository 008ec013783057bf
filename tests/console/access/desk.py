"""A console over a real journal, and browsers that ask it: what the tests of access share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import SecretStr

from soap_handler.accounts.passwords import PasswordHash
from soap_handler.console import application
from soap_handler.console.health import Readiness
from soap_handler.journal import State
from soap_handler.settings import ConsoleSettings, ConsoleUser
from tests.journal.entries import LEASE, ended, entry
from tests.support.service import settings_for

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from soap_handler.journal import Journal

PASSWORD: Final = "correct horse"
USERS: Final = tuple(
    ConsoleUser(name=name, password=SecretStr(str(PasswordHash.of(PASSWORD, ln=4))), role=role)  # type: ignore[arg-type] # a literal
    for name, role in (("olga", "operator"), ("victor", "viewer"))
)
"""An operator and a viewer. Their hashes are cheap: what a check costs is tested elsewhere."""
OTHER_HOST: Final = "192.0.2.7"
"""The address of another machine."""


class _Health:
    reasons: tuple[str, ...] = ()
    """Why the service is not ready."""

    def readiness(self) -> Readiness:
        return Readiness(self.reasons)


COOKIES = ("soap_handler", "__Host-soap_handler")
"""The names that the console's cookie has, without TLS and with it."""


class _Exposition:
    def render(self, *_: object) -> tuple[bytes, str]:
        return b"soap_handler_ready 1\n", "text/plain"


def console_over(journal: Journal, folder: Path, console: ConsoleSettings) -> Flask:
    """Return the console's application over a journal."""
    settings = settings_for(folder).model_copy(update={"console": console})
    server = settings.server.model_copy(update={"login_failures_allowed": 3, "login_failure_delay": 5.0})
    settings = settings.model_copy(update={"server": server})
    return application.build(settings, journal, cast("Any", _Health()), cast("Any", _Exposition()))


class Browser:
    """A browser with cookies of its own."""

    def __init__(self, app: Flask, address: str = "127.0.0.1", base: str = "http://localhost:8081") -> None:
        self.client: FlaskClient = app.test_client()
        self._app = app
        self._address = address
        self._base = base

    def get(self, path: str, method: str = "GET", **headers: str) -> TestResponse:
        return self._open(path, method, headers)

    def post(self, path: str, fields: dict[str, Any] | None = None, **headers: str) -> TestResponse:
        return self._open(path, "POST", headers, fields or {})

    def _open(self, path: str, method: str, headers: dict[str, str], fields: Any = None) -> TestResponse:
        named = {"Accept": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
        environ = {"REMOTE_ADDR": self._address}
        return self.client.open(
            path, method=method, data=fields, headers=named, base_url=self._base, environ_overrides=environ
        )

    def token(self, path: str = "/login") -> str:
        """Return the CSRF token of a page's form."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get(path).text)
        assert found is not None, path
        return found[1]

    def log_in(self, name: str, password: str = PASSWORD, **fields: str) -> TestResponse:
        return self.post("/login", {"csrf": self.token(), "name": name, "password": password, **fields})

    def own_token(self) -> str:
        """Return the CSRF token that pages have, also where the browser has no form to read it from."""
        with self._app.test_request_context(
            "/", base_url=self._base, headers=self._cookies(), environ_overrides={"REMOTE_ADDR": self._address}
        ):
            return str(self._app.jinja_env.globals["csrf_token"]())  # type: ignore[operator] # it is a function

    def act(self, name: str, fields: dict[str, Any], **headers: str) -> TestResponse:
        """Send the form of an action with the right token."""
        return self.post(f"/actions/{name}", {"csrf": self.own_token(), **fields}, **headers)

    def cookies(self) -> dict[str, str]:
        """Return the cookies that the browser would send."""
        host = self._base.partition("://")[2].partition(":")[0]
        kept = (self.client.get_cookie(name, host) for name in COOKIES)
        return {each.key: each.value for each in kept if each is not None}

    def _cookies(self) -> dict[str, str]:
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies().items())
        return {"Cookie": pairs} if pairs else {}


def operator(app: Flask) -> Browser:
    """Return a browser in which an operator is logged in."""
    browser = Browser(app)
    assert browser.log_in("olga").status_code == 303
    return browser


def store_dead(journal: Journal, first: int, last: int, error: str = "it broke") -> list[int]:
    """Store notifications that are dead; return their numbers, oldest first."""
    for number in range(first, last + 1):
        journal.record(entry(number))
    claims = journal.claim(last - first + 1, LEASE)
    journal.settle([ended(claim, State.DEAD, error=error) for claim in claims])
    return sorted(claim.seq for claim in claims)
