"""The public WSGI application: which path leads to which face, who may call, and what becomes of a push."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from soap_handler.errors import PackagingError
from soap_handler.faces.base import BELOW, Answer, Request, is_xml
from soap_handler.faces.unpack import unpack
from soap_handler.metrics.catalogue import NONE
from soap_handler.metrics.pushes import count_one, count_refused
from soap_handler.web.client_address import UNKNOWN, Callers
from soap_handler.web.pages.visit import READS
from soap_handler.web.refusals import Refusals
from soap_handler.web.visits import TEXT, Visits, tidy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from wsgiref.types import StartResponse, WSGIEnvironment

    from soap_handler.faces.base import Face
    from soap_handler.journal import Journal
    from soap_handler.web.pages.pages import Pages

HOLD_ANSWER: Final = "soap_handler.hold_answer"
"""In the environment, from our server: a function that holds the answer back for some seconds and returns at once."""

CLOSE_AFTER: Final = "soap_handler.close_after"
"""As that: a function that has the connection closed after the answer, since the rest of a bad request may follow."""

ARRIVED: Final = "soap_handler.arrived"
"""As that: when the last byte of the request came, on the monotonic clock."""

_NO_POST: Final = "The method is not one of this address; a push is a POST"
_LENGTH: Final = re.compile(r"\d{1,18}", re.ASCII)


class Application:
    """Routes requests to faces: POST is a push, GET asks for a description or a page."""

    def __init__(
        self,
        faces: Sequence[Face],
        journal: Journal,
        *,
        public_url: str | None = None,
        max_body: int = 262144,
        callers: Callers | None = None,
        path_prefix: str = "",
        pages: Pages | None = None,
        is_ready: Callable[[], bool] | None = None,
    ) -> None:
        """``max_body`` is in bytes; ``public_url`` is the base address at which callers reach us.

        A request without ``path_prefix`` is taken too. Without ``pages`` there are none. With ``is_ready`` there are
        health probes at this address.
        """
        self._first = faces[0]
        # IIS ignores the case of a path, and EMS is used to it.
        prefixes = {"", path_prefix.lower()}
        self._routes = {p + path.lower(): (face, path) for p in prefixes for face in faces for path in face.paths}
        self._by_media_type = {each: face for face in faces for each in face.media_types}
        self._journal = journal
        self._max_body = max_body
        callers = callers or Callers()
        self._who = callers.check if callers.has_rules else _peer
        self._refusals = Refusals()
        self._visits = Visits(
            callers, self._answer, pages=pages, prefix=path_prefix, public_url=public_url, is_ready=is_ready
        )

    def face_at(self, path: str) -> Face | None:
        """Return the face that owns a path."""
        return self._route(path)[0]

    def _route(self, path: str) -> tuple[Face | None, str]:
        """Return the face that owns a path, and the path as the face spells it, without what is below it.

        Slashes too many do not count.
        """
        found = self._routes.get(path.lower()) or self._routes.get(tidy(path)) or self._below(tidy(path))
        return found or (None, "")

    def _below(self, path: str) -> tuple[Face, str] | None:
        above = (path[:place] for place in range(len(path) - 1, 0, -1) if path[place] == "/")
        owner = next((self._routes[each + BELOW] for each in above if each + BELOW in self._routes), None)
        return owner and (owner[0], owner[1].removesuffix(BELOW))

    def face_for(self, path: str, content_type: str, body: bytes = b"") -> Face | None:
        """Return the face of a request: by its media type, or else the one that owns the path.

        XML goes by its path: ``curl -d`` calls everything a form.
        """
        owner = self.face_at(path)
        other = self._by_media_type.get(content_type.partition(";")[0].strip().lower())
        return owner if owner is None or other is None or is_xml(body) else other

    def face_or_first(self, path: str, content_type: str = "") -> Face:
        """Return the face in whose form a request is refused: the first one's where none owns the path."""
        return self.face_for(path, content_type) or self._first

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        answer = self._answer(environ)
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body))), *answer.headers]
        start_response(answer.status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]  # a server may send what it is given

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        method = environ["REQUEST_METHOD"]
        caller, may_call = self._who(environ)
        face, path = self._route(environ.get("PATH_INFO", ""))
        if not may_call:
            if (health := self._visits.health(environ)) is not None:
                return health
            if method == "POST":
                count_refused(face.api if face else NONE, "refused_caller")
            return self._forbidden(path, environ.get("CONTENT_TYPE", ""), method)
        if method == "POST" and face is not None:
            return self._push(environ, caller)
        if method not in {*READS, "OPTIONS"}:
            count_refused(face.api if face else NONE, "refused_http" if face else "refused_path")
            self._note_refusal(
                "No version of the API is at this address" if face is None else _NO_POST, environ, caller
            )
        return self._visits.answer(environ, face, path)

    def _forbidden(self, path: str, content_type: str, method: str) -> Answer:
        text = "Not allowed from this address"
        if method == "POST":
            return self.face_or_first(path, content_type).refused(text, content_type, forbidden=True)
        return Answer("403 Forbidden", TEXT, f"{text}\n".encode())

    def _push(self, environ: WSGIEnvironment, caller: str) -> Answer:
        """Prepare, commit, answer: in this order, so that nothing is confirmed that is not on disk."""
        path, content_type = environ["PATH_INFO"], environ.get("CONTENT_TYPE", "")
        face = self.face_or_first(path, content_type)
        length = environ.get("CONTENT_LENGTH") or "0"
        refusal = "" if _LENGTH.fullmatch(length) else "The Content-Length is no usable number"
        if not refusal and int(length) > self._max_body:
            refusal = f"The request is larger than {self._max_body} bytes"
        if refusal:
            count_refused(face.api, "refused_http")
            self._note_refusal(refusal, environ, caller)
            return face.refused(refusal, content_type)
        body = environ["wsgi.input"].read(int(length))
        request = _request(environ, body, caller)
        if request.content_encoding or "multipart/" in request.content_type.lower():
            try:
                request = unpack(request, self._max_body)
            except PackagingError as error:
                count_refused(face.api, "refused_http")
                self._note_refusal(str(error), environ, caller)
                return face.refused(str(error), content_type)
        face = self.face_for(path, request.content_type, request.body) or face
        exchange = face.prepare(request)
        if exchange.delay and HOLD_ANSWER in environ:
            environ[HOLD_ANSWER](exchange.delay)
        if exchange.refusal:
            self._note_refusal(exchange.refusal, environ, caller)
        if exchange.entry is None:
            count_refused(face.api, exchange.result)
            return exchange.answer
        answer, is_new = exchange.answer, None
        try:
            is_new = self._journal.record(exchange.entry)
        except Exception as error:  # noqa: BLE001 - for whatever reason, the notification is not on disk
            answer = (exchange.not_stored or face.not_stored)(error)
        count_one(face.api, exchange.entry.notification.kind, is_new, environ.get(ARRIVED) or time.monotonic())
        return answer

    def _note_refusal(self, reason: str, environ: WSGIEnvironment, caller: str) -> None:
        """Log why a request is refused, and have its connection closed."""
        length = environ.get("CONTENT_LENGTH") or "0"
        self._refusals.note(reason, caller, int(length) if _LENGTH.fullmatch(length) else None)
        if CLOSE_AFTER in environ:
            environ[CLOSE_AFTER]()


def _peer(environ: WSGIEnvironment) -> tuple[str, bool]:
    """Return the peer as the caller, who may call: there is neither a trusted proxy nor a list of allowed callers."""
    return environ.get("REMOTE_ADDR") or UNKNOWN, True


def _request(environ: WSGIEnvironment, body: bytes, caller: str) -> Request:
    return Request(
        body,
        caller,
        content_type=environ.get("CONTENT_TYPE", ""),
        path=environ.get("PATH_INFO", ""),
        authorization=environ.get("HTTP_AUTHORIZATION", ""),
        content_encoding=environ.get("HTTP_CONTENT_ENCODING", ""),
        traceparent=environ.get("HTTP_TRACEPARENT", ""),
    )
