"""Sessions: who is logged in, kept in the memory of the console's process. A restart logs all users out.

The cookie carries a random id and is signed with a key of this process; that it is valid says the table here alone.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from flask import session
from flask.sessions import SecureCookieSessionInterface

from soap_handler.console.access.origins import is_https

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from flask import Flask

    from soap_handler.web.client_address import Callers

SESSION_ID: Final = "id"
"""The key of the cookie under which the id is."""
_KEPT: Final = 1_000
"""Sessions at once. A further login ends the oldest."""
_COOKIE: Final = "soap_handler"


class Sessions:
    """The sessions that are valid, by digests of their ids. Thread-safe."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Let each session end so many seconds after its login, used or not."""
        self.seconds = seconds
        """Of sessions that begin from now on."""
        self._clock = clock
        self._key = secrets.token_bytes()
        self._names: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, name: str) -> str:
        """Return the id of a new session for a user."""
        new = secrets.token_urlsafe()
        with self._lock:
            self._names[_digest(new)] = name, self._clock() + self.seconds
            while len(self._names) > _KEPT:
                self._names.popitem(last=False)
        return new

    def name_of(self, session_id: str) -> str | None:
        """Return the user of a session; ``None`` where it is over, or never was."""
        with self._lock:
            name, until = self._names.get(_digest(session_id), ("", float("-inf")))
            if self._clock() < until:
                return name
            self._names.pop(_digest(session_id), None)
        return None

    def end(self, session_id: str) -> None:
        """End a session."""
        with self._lock:
            self._names.pop(_digest(session_id), None)

    def end_all_of(self, names: Collection[str]) -> None:
        """End the sessions of some users."""
        with self._lock:
            for digest in [each for each, (name, _) in self._names.items() if name in names]:
                del self._names[digest]

    def token(self, session_id: str, name: str) -> str:
        """Return the CSRF token of a session for a user, or of a browser that is not logged in yet."""
        return hmac.digest(self._key, f"{session_id}\0{name}".encode(), "sha256").hex()


class Cookies(SecureCookieSessionInterface):
    """Flask's signed cookie: ``__Host-`` and Secure behind https. It is sent with links from other sites, not forms."""

    def __init__(self, callers: Callable[[], Callers]) -> None:
        """``callers`` gives those of now: a reload may change which proxies are believed."""
        self._callers = callers

    def get_cookie_name(self, app: Flask) -> str:  # noqa: ARG002 - Flask's signature
        """Return the name, which no page of a sibling domain or of http can set where it begins with ``__Host-``."""
        return f"__Host-{_COOKIE}" if is_https(self._callers()) else _COOKIE

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - Flask's signature
        """Whether the cookie is sent by https alone."""
        return is_https(self._callers())

    def get_cookie_samesite(self, app: Flask) -> str:  # noqa: ARG002 - Flask's signature
        """Return Lax: a link in an alert opens the page that it names. Nothing is changed by GET."""
        return "Lax"


def present_id() -> str:
    """Return the id in the cookie of the present request; a browser without one is given one."""
    return str(session.setdefault(SESSION_ID, secrets.token_urlsafe()))


def _digest(session_id: str) -> bytes:
    return hashlib.sha256(str(session_id).encode("utf-8", "replace")).digest()
