"""Visitors: who is calling, by a session, by single sign-on, or by being on this machine, and with which role.

``Access`` holds what that takes for one application. It reads the present request of Flask and answers none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from flask import current_app, g, request, session

from soap_handler.accounts.authentication import DigestVerifier
from soap_handler.accounts.throttle import Throttle
from soap_handler.console.access.logins import Logins
from soap_handler.console.access.origins import is_here
from soap_handler.console.access.sessions import SESSION_ID, Sessions
from soap_handler.log_throttle import LogThrottle
from soap_handler.settings import ConsoleSettings
from soap_handler.web.client_address import Callers, read_address

if TYPE_CHECKING:
    from flask import Flask
    from pydantic import SecretStr

    from soap_handler.settings import ConsoleUser, Settings

EXTENSION: Final = "soap_handler.access"
"""Where an application keeps its :class:`Access`."""
LOCAL: Final = "this machine"
"""The name of each visitor where no login is asked for."""
_NAME_LENGTH: Final = 200  # characters of a name that a proxy sends


class Role(StrEnum):
    """The role of a visitor."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is calling."""

    name: str
    role: Role
    has_session: bool = False
    """Whether a password was given here, so that there is something to log out of."""


class Access:
    """Who may enter one console. Thread-safe."""

    def __init__(self, everything: Settings) -> None:
        """Take the limits of the login throttle from those of pushes."""
        server = everything.server
        self.log_throttle = LogThrottle()
        """For what a caller can be refused for at will."""
        self._throttle = Throttle(server.login_failures_allowed, server.login_failure_delay)
        self._users: dict[str, ConsoleUser] = {}
        self.sessions = Sessions(0.0)
        self.take_up(everything)

    def take_up(self, everything: Settings) -> None:
        """Take up users, roles, tokens and networks: at the start and at each reload.

        The sessions of a user who is gone, or has another password, end. A role holds from the next request on.
        """
        settings = everything.console or ConsoleSettings()
        self.callers = Callers(trusted_proxies=settings.trusted_proxies)
        """The proxies that are believed."""
        self._metrics_readers = Callers(allow_from=settings.metrics_allow_from)
        self.logins = Logins(settings.user, self._throttle)
        before, self._users = self._users, {each.name: each for each in settings.user}
        self.settings = settings
        self.sessions.seconds = settings.session
        self.sessions.end_all_of([name for name, user in before.items() if self._password_of(name) != user.password])

    def _password_of(self, name: str) -> SecretStr | None:
        user = self._users.get(name)
        return None if user is None else user.password

    def visitor(self) -> Visitor | None:
        """Return who makes the present request; ``None`` where that is not known."""
        return self._signed_on() or self._logged_in() or self._on_this_machine()

    def caller(self) -> str:
        """Return the address from which the present request comes, behind the proxies that are trusted."""
        return self.callers.address(request.environ)

    def may_read_metrics(self) -> bool:
        """Whether the present request may read the metrics without a login: by its address, or by the token."""
        return is_here() or self._is_among_readers() or self._has_token()

    def _is_among_readers(self) -> bool:
        return bool(self.settings.metrics_allow_from) and self._metrics_readers.allows(self.caller())

    def _has_token(self) -> bool:
        """Whether the request has the token of the metrics. Digests are compared, of one length, in constant time."""
        token = self.settings.metrics_token
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if token is None or scheme.lower() != "bearer":
            return False
        return DigestVerifier("", token.get_secret_value()).quick_check("", given.strip())

    def _signed_on(self) -> Visitor | None:
        """Return whom a trusted proxy names. From any other peer the header says nothing."""
        header = self.settings.sso_header
        peer = read_address(request.environ.get("REMOTE_ADDR", ""))
        if header is None or peer is None or not any(peer in each for each in self.settings.trusted_proxies):
            return None
        name = request.headers.get(header, "").encode("latin-1", "replace").decode("utf-8", "replace").strip()
        # A comma joins two headers: one of them is not the proxy's.
        if not name or "," in name or len(name) > _NAME_LENGTH or not name.isprintable():
            return None
        return Visitor(name, Role.OPERATOR if name in self.settings.sso_operators else Role.VIEWER)

    def _logged_in(self) -> Visitor | None:
        name = self.sessions.name_of(session.get(SESSION_ID, ""))
        user = None if name is None else self._users.get(name)
        return None if user is None else Visitor(user.name, Role(user.role), has_session=True)

    def _on_this_machine(self) -> Visitor | None:
        """Return the visitor of a console without users."""
        return Visitor(LOCAL, Role.VIEWER) if self.settings.is_open and is_here() else None


def access() -> Access:
    """Return what the present application knows of who may enter it."""
    return access_of(current_app)


def access_of(app: Flask) -> Access:
    """Return what an application knows of who may enter it."""
    return cast("Access", app.extensions[EXTENSION])


def visitor() -> Visitor | None:
    """Return who makes the present request; ``None`` where that is not known."""
    if "visitor" not in g:
        g.visitor = access().visitor()
    return cast("Visitor | None", g.visitor)


def may_operate() -> bool:
    """Whether the present visitor may act. Also a function of the templates."""
    found = visitor()
    return found is not None and found.role is Role.OPERATOR


def may_read_bodies() -> bool:
    """Whether the present visitor is shown what messages say. Also a function of the templates."""
    return may_operate() and access().settings.bodies == "operators"
