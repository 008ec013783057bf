"""The WSGI application: routes, and HTTP around the SOAP face. It knows no XML."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote

from soap_handler.contract import OPERATIONS
from soap_handler.faces.soap.endpoint import CONTENT_TYPE, Answer, Endpoint, Exchange, refusal
from soap_handler.faces.soap.wsdl import Wsdl
from soap_handler.web.client_address import Guard
from soap_handler.xml.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from wsgiref.types import StartResponse, WSGIEnvironment

    from soap_handler.fast.usual_reader import Read
    from soap_handler.journal import Journal
    from soap_handler.receive.receiver import Receiver

PATH: Final = "/AccountEventHandler"
_PATHS: Final = {path.lower(): path for path in (PATH, f"{PATH}.asmx")}  # IIS does not mind the case, so we don't

HOLD: Final = "soap_handler.hold"
"""In the environment, from our server: a function that holds the answer back for some seconds, and returns at once."""

_LENGTH: Final = re.compile(r"\d{1,18}", re.ASCII)

_HELP: Final = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Account Event Handler</title></head>
<body><h1>Account Event Handler</h1>
<p>A SOAP 1.1 service. EMS posts its notifications to this address.</p>
<p>Operations: {", ".join(OPERATIONS)}.</p>
<p><a href="{{0}}?wsdl">Service description (WSDL)</a></p></body></html>
"""


class Application:
    """Every POST to the endpoint is answered by SOAP; GET gives the WSDL or a page that says what this is."""

    def __init__(
        self,
        receiver: Receiver,
        journal: Journal,
        *,
        public_url: str | None = None,
        max_body: int = 262144,
        guard: Guard | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        """``max_body`` is in bytes; ``public_url`` is the base address at which callers reach us."""
        self._guard = guard or Guard()
        self._endpoint = Endpoint(receiver, limits)
        self._journal = journal
        self._wsdl = Wsdl()
        self._public_url = public_url
        self._max_body = max_body

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        content = self._answer(environ, start_response)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else content  # a server may send what it is given

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = _PATHS.get(environ.get("PATH_INFO", "").lower())
        method = environ["REQUEST_METHOD"]
        caller = self._guard.caller(environ)
        if not self._guard.admits(caller):
            return _turned_away(start_response, method)
        if path is None:
            return _send(start_response, "404 Not Found", "text/plain; charset=utf-8", b"Nothing is here.\n")
        if method == "POST":
            answer = self._post(environ, caller)
            return _send(start_response, answer.status, CONTENT_TYPE, answer.body)
        if method in {"GET", "HEAD"}:
            return self._get(environ, start_response, path)
        text = b"This address takes POST, and GET for its description.\n"
        return _send(
            start_response, "405 Method Not Allowed", "text/plain; charset=utf-8", text, ("Allow", "GET, HEAD, POST")
        )

    def read_usual(self, requests: Sequence[tuple[Any, str]]) -> list[Read | None]:
        """Read usual pushes, at once and at little cost; ``None`` for all the rest.

        Each is waitress's request and the peer's address. What is not usual (odd, refused, costly to check, no push at
        all) takes the way through ``__call__``.
        """
        usual = [self._usual(request, peer) for request, peer in requests]
        read = iter(self._endpoint.read_usual([each for each in usual if each is not None]))
        return [None if each is None else next(read) for each in usual]

    def check_usual(self, requests: Sequence[Read]) -> list[Exchange | None]:
        """Do all the rest up to the commit for pushes that were read; ``None`` as above."""
        return self._endpoint.check_usual(requests)

    def _usual(self, request: Any, peer: str) -> tuple[bytes, str] | None:  # noqa: ANN401 - waitress has no types
        """Return body and Content-Type of what may be a usual push."""
        if request.error or request.command != "POST" or request.path.lower() not in _PATHS:
            return None
        if self._guard.restricts and not self._guard.allows(self._guard.caller(_addresses(peer, request.headers))):
            return None
        body = request.body
        if body is None or len(body) > self._max_body:
            return None
        return body, request.headers.get("CONTENT_TYPE", "")

    def not_stored(self, error: BaseException) -> Answer:
        """Return the answer to a push whose commit failed."""
        return self._endpoint.not_stored(error)

    def _post(self, environ: WSGIEnvironment, caller: str) -> Answer:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not _LENGTH.fullmatch(length):
            return refusal("The Content-Length is no usable number")
        if int(length) > self._max_body:
            return refusal(f"The request is larger than {self._max_body} bytes")
        body = environ["wsgi.input"].read(int(length))
        exchange = self._endpoint.prepare(body, caller, environ.get("CONTENT_TYPE", ""))
        if exchange.delay and HOLD in environ:
            environ[HOLD](exchange.delay)
        if exchange.entry is None:
            return exchange.answer
        try:
            self._journal.record(exchange.entry)
        except Exception as error:  # noqa: BLE001 - whatever it is, the notification is not on disk, and the caller must know
            return self._endpoint.not_stored(error)
        return exchange.answer

    def _get(self, environ: WSGIEnvironment, start_response: StartResponse, path: str) -> Iterable[bytes]:
        wanted = {name.lower() for name, _ in parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)}
        if "wsdl" in wanted:
            address = self._base(environ) + path
            return _send(start_response, "200 OK", CONTENT_TYPE, self._wsdl.at(address))
        page = _HELP.format(escape(environ.get("SCRIPT_NAME", "") + path)).encode()
        return _send(start_response, "200 OK", "text/html; charset=utf-8", page)

    def _base(self, environ: WSGIEnvironment) -> str:
        """Return the address of this service, from the settings or else from this very request."""
        if self._public_url is not None:
            return self._public_url
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        return f"{self._guard.scheme(environ)}://{quote(host, safe='[]:.-')}{quote(environ.get('SCRIPT_NAME', ''))}"


def _addresses(peer: str, headers: dict[str, str]) -> dict[str, str]:
    """Return the part of a WSGI environment that says where a request comes from."""
    environ = {"REMOTE_ADDR": peer}
    if "X_FORWARDED_FOR" in headers:
        environ["HTTP_X_FORWARDED_FOR"] = headers["X_FORWARDED_FOR"]
    return environ


def _turned_away(start_response: StartResponse, method: str) -> Iterable[bytes]:
    text = "Not allowed from this address"
    if method == "POST":
        answer = refusal(text)
        return _send(start_response, answer.status, CONTENT_TYPE, answer.body)
    return _send(start_response, "403 Forbidden", "text/plain; charset=utf-8", f"{text}\n".encode())


def _send(
    start_response: StartResponse, status: str, content_type: str, body: bytes, *headers: tuple[str, str]
) -> Iterable[bytes]:
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body))), *headers])
    return [body]
