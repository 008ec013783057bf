"""Requests that are no push: descriptions for programs, pages for people, health probes, OPTIONS."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from soap_handler.faces.base import Answer
from soap_handler.web.pages.rendering import NOT_INDEXED
from soap_handler.web.pages.visit import READS, Visit

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

    from soap_handler.faces.base import Face
    from soap_handler.web.client_address import Callers
    from soap_handler.web.pages.pages import Pages

TEXT: Final = "text/plain; charset=utf-8"
"""The content type of a line for people."""
_NOT_FOUND: Final = Answer("404 Not Found", TEXT, b"Nothing is here.\n")
_ALLOW: Final = ("Allow", "GET, HEAD, OPTIONS, POST")
_NOT_ALLOWED: Final = Answer(
    "405 Method Not Allowed", TEXT, b"This address takes POST, and GET for its description.\n", (_ALLOW,)
)
_OPTIONS: Final = Answer("200 OK", TEXT, b"", (_ALLOW,))
_ALIVE: Final = Answer("200 OK", TEXT, b"", (("Allow", "GET, HEAD, OPTIONS"),))
"""The answer to OPTIONS at the root, which HAProxy sends to see whether a server is alive."""
_LIVE: Final = "/health/live"
_READY: Final = "/health/ready"
_FRESH: Final = (("Cache-Control", "no-store"),)
_SLASHES: Final = re.compile("//+")


class Visits:
    """Answers visits: requests that are no push, at the address of a face or elsewhere."""

    def __init__(
        self,
        callers: Callers,
        send: Callable[[WSGIEnvironment], Answer],
        *,
        pages: Pages | None,
        prefix: str,
        public_url: str | None,
        is_ready: Callable[[], bool] | None,
    ) -> None:
        """``send`` answers another request, as if it had come over the network. The others are the application's."""
        self._callers = callers
        self._send = send
        self._pages = pages
        self._prefix = prefix
        self._public_url = public_url
        self._is_ready = is_ready
        prefixes = {"", prefix.lower()}
        self._page_routes = {p + path.lower(): path for p in prefixes for path in (pages.paths if pages else ())}

    def answer(self, environ: WSGIEnvironment, face: Face | None, path: str) -> Answer:
        """Answer a visit at the path of a face, as the face spells it; without a face, at another path."""
        method = environ["REQUEST_METHOD"]
        if face is None:
            return self._elsewhere(environ)
        if method in READS:
            return self._describe(face, path, environ)
        return _OPTIONS if method == "OPTIONS" else _NOT_ALLOWED

    def health(self, environ: WSGIEnvironment) -> Answer | None:
        """Answer a health probe with one word, for each caller; ``None`` where it is none, or there are none."""
        path = _path_of(environ)
        if self._is_ready is None or environ["REQUEST_METHOD"] not in READS or path not in {_LIVE, _READY}:
            return None
        if path == _LIVE or self._is_ready():
            return Answer("200 OK", TEXT, b"ready\n" if path == _READY else b"live\n", _FRESH)
        return Answer("503 Service Unavailable", TEXT, b"not ready\n", _FRESH)

    def _describe(self, face: Face, path: str, environ: WSGIEnvironment) -> Answer:
        """Return the description for programs that the query names, else a page for people."""
        visit = Visit(environ, path, self._base(environ), self._prefix, self._send)
        document = face.describe(visit.query.keys(), visit.base + path)
        if document is not None:
            return replace(document, headers=NOT_INDEXED)
        return (self._pages and self._pages.answer(visit)) or _NOT_FOUND

    def _elsewhere(self, environ: WSGIEnvironment) -> Answer:
        """Answer a request to a path that is no face's: to the root, or to a page."""
        if (health := self.health(environ)) is not None:
            return health
        path = _path_of(environ)
        if environ["REQUEST_METHOD"] == "OPTIONS" and path in {"", "*", self._prefix.lower()}:
            return _ALIVE
        own = self._page_routes.get(path)
        if self._pages is None or own is None:
            return _NOT_FOUND
        return self._pages.answer(Visit(environ, own, self._base(environ), self._prefix, self._send)) or _NOT_FOUND

    def _base(self, environ: WSGIEnvironment) -> str:
        """Return the address of this service, from the settings or else from this very request."""
        if self._public_url is not None:
            return self._public_url
        host = quote(environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}", safe="[]:.-")
        return f"{self._callers.scheme(environ)}://{host}{quote(environ.get('SCRIPT_NAME', ''))}{self._prefix}"


def tidy(path: str) -> str:
    """Return a path in lower case, without doubled slashes and those at the end."""
    return _SLASHES.sub("/", path).rstrip("/").lower()


def _path_of(environ: WSGIEnvironment) -> str:
    """Return the path of a request in the form in which paths are compared."""
    return tidy(environ.get("PATH_INFO", ""))
