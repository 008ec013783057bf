"""The public WSGI application: which path leads to which face, who may call, and HTTP around it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote

from soap_handler.errors import PackagingError
from soap_handler.faces.base import Answer, Request
from soap_handler.faces.unpack import unpack
from soap_handler.web.client_address import Callers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from wsgiref.types import StartResponse, WSGIEnvironment

    from soap_handler.faces.base import Face
    from soap_handler.journal import Journal

HOLD_ANSWER: Final = "soap_handler.hold_answer"
"""In the environment, from our server: a function that holds the answer back for some seconds and returns at once."""

_TEXT: Final = "text/plain; charset=utf-8"
_NOT_FOUND: Final = Answer("404 Not Found", _TEXT, b"Nothing is here.\n")
_NOT_ALLOWED: Final = Answer(
    "405 Method Not Allowed", _TEXT, b"This address takes POST, and GET for its description.\n"
)
_LENGTH: Final = re.compile(r"\d{1,18}", re.ASCII)


class Application:
    """Routes requests to faces: POST is a push, GET asks for a description."""

    def __init__(
        self,
        faces: Sequence[Face],
        journal: Journal,
        *,
        public_url: str | None = None,
        max_body: int = 262144,
        callers: Callers | None = None,
    ) -> None:
        """``max_body`` is in bytes; ``public_url`` is the base address at which callers reach us."""
        self._first = faces[0]
        # IIS ignores the case of a path, and EMS is used to it.
        self._routes = {path.lower(): (face, path) for face in faces for path in face.paths}
        self._journal = journal
        self._public_url = public_url
        self._max_body = max_body
        self._callers = callers or Callers()

    def face_at(self, path: str) -> Face | None:
        """Return the face that owns a path."""
        return self._routes.get(path.lower(), (None, ""))[0]

    def face_or_first(self, path: str) -> Face:
        """Return the face in whose form a request is refused: the first one's where none owns the path."""
        return self.face_at(path) or self._first

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        answer = self._answer(environ)
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        if answer is _NOT_ALLOWED:
            headers.append(("Allow", "GET, HEAD, POST"))
        start_response(answer.status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]  # a server may send what it is given

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        method = environ["REQUEST_METHOD"]
        caller, may_call = self._callers.check(environ)
        face, path = self._routes.get(environ.get("PATH_INFO", "").lower(), (None, ""))
        if not may_call:
            return _forbidden(face or self._first, method)
        if face is None:
            return _NOT_FOUND
        if method == "POST":
            return self._push(face, environ, caller)
        if method in {"GET", "HEAD"}:
            return self._describe(face, path, environ)
        return _NOT_ALLOWED

    def _push(self, face: Face, environ: WSGIEnvironment, caller: str) -> Answer:
        """Prepare, commit, answer: in this order, so that nothing is confirmed that is not on disk."""
        length = environ.get("CONTENT_LENGTH") or "0"
        if not _LENGTH.fullmatch(length):
            return face.refused("The Content-Length is no usable number")
        if int(length) > self._max_body:
            return face.refused(f"The request is larger than {self._max_body} bytes")
        body = environ["wsgi.input"].read(int(length))
        request = _request(environ, body, caller)
        if request.content_encoding or "multipart/" in request.content_type.lower():
            try:
                request = unpack(request, self._max_body)
            except PackagingError as error:
                return face.refused(str(error))
        exchange = face.prepare(request)
        if exchange.delay and HOLD_ANSWER in environ:
            environ[HOLD_ANSWER](exchange.delay)
        if exchange.entry is None:
            return exchange.answer
        try:
            self._journal.record(exchange.entry)
        except Exception as error:  # noqa: BLE001 - for whatever reason, the notification is not on disk
            return (exchange.not_stored or face.not_stored)(error)
        return exchange.answer

    def _describe(self, face: Face, path: str, environ: WSGIEnvironment) -> Answer:
        query = {name.lower() for name, _ in parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)}
        return face.describe(query, environ.get("SCRIPT_NAME", "") + path, self._base(environ) + path)

    def _base(self, environ: WSGIEnvironment) -> str:
        """Return the address of this service, from the settings or else from this very request."""
        if self._public_url is not None:
            return self._public_url
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        return f"{self._callers.scheme(environ)}://{quote(host, safe='[]:.-')}{quote(environ.get('SCRIPT_NAME', ''))}"


def _request(environ: WSGIEnvironment, body: bytes, caller: str) -> Request:
    return Request(
        body,
        caller,
        content_type=environ.get("CONTENT_TYPE", ""),
        path=environ.get("PATH_INFO", ""),
        authorization=environ.get("HTTP_AUTHORIZATION", ""),
        content_encoding=environ.get("HTTP_CONTENT_ENCODING", ""),
    )


def _forbidden(face: Face, method: str) -> Answer:
    text = "Not allowed from this address"
    return face.refused(text) if method == "POST" else Answer("403 Forbidden", _TEXT, f"{text}\n".encode())
