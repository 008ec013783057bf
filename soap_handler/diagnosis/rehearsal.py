"""Rehearsal: the service's own application and faces, with nothing behind them. What would be committed is noted.

It is built by the functions of ``app`` that build the service, so it answers as the service does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from soap_handler.accounts.accounts import Accounts
from soap_handler.app import build_application, build_faces
from soap_handler.contract import Version
from soap_handler.diagnosis.captured import read_captured
from soap_handler.faces.base import PATH, Answer
from soap_handler.faces.xml_push import PATH as XML_PUSH_PATH
from soap_handler.receive.receiver import Receiver
from soap_handler.seams import Seams
from soap_handler.server.refused_requests import refusal
from soap_handler.settings import Settings
from soap_handler.web.client_address import Callers

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from soap_handler.diagnosis.captured import Captured
    from soap_handler.ems.versions import PushRequest
    from soap_handler.faces.base import Exchange, Face, Request
    from soap_handler.journal import Entry, Journal
    from soap_handler.receive.push import Push
    from soap_handler.settings import AccountSettings


class _NotingReceiver(Receiver):
    """A receiver that notes the push which a face handed to it."""

    push: Push | None = None

    def prepare(self, push: Push) -> Entry:
        self.push = push
        return super().prepare(push)


class Rehearsal:
    """One request's way through the service, up to the commit, which does not happen."""

    def __init__(self, settings: Settings) -> None:
        server = settings.server
        self._receiver = _NotingReceiver(Accounts(settings.account))
        faces = build_faces(server, self._receiver, Seams())
        for face in faces:
            self._watch(face)
        callers = Callers(server.allow_from, server.trusted_proxies)
        self._application = build_application(server, faces, cast("Journal", self), callers)
        self.face: Face | None = None
        """The face that read the request; ``None`` where HTTP refused it before."""
        self.entry: Entry | None = None
        """What would be committed."""

    @property
    def push(self) -> Push | None:
        """What the face read off the wire; ``None`` where it could not."""
        return self._receiver.push

    def answer(self, captured: Captured, caller: str) -> Answer:
        """Return the answer that the caller would get."""
        if captured.parser.error:
            return refusal(self._application.face_or_first, captured.parser, captured.parser.error)
        return self._answered(captured.environ(caller))

    def record(self, entry: Entry) -> bool:
        """Take the journal's place: note what would be committed."""
        self.entry = entry
        return True

    def _answered(self, environ: WSGIEnvironment) -> Answer:
        head: dict[str, str] = {}

        def start_response(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
            head.update({name.lower(): value for name, value in headers}, status=status)

        body = b"".join(self._application(environ, start_response))  # type: ignore[arg-type] # it is given no writer
        return Answer(head["status"], head.get("content-type", ""), body)

    def _watch(self, face: Face) -> None:
        prepare = face.prepare

        def noting(request: Request) -> Exchange:
            self.face = face
            return prepare(request)

        face.prepare = noting  # type: ignore[method-assign] # to look, not to change


def key_of(push: PushRequest, api: Version, account: AccountSettings) -> str | None:
    """Return the key under which the service stores a push for an account; ``None`` if it would refuse the request.

    A version of the API may carry less than the notification holds (a form has whole seconds), so the key is that of
    what is read. The login is not looked at.
    """
    settings = Settings(account=(account.model_copy(update={"anonymous": True, "push": (), "push_tokens": ()}),))
    headers = "".join(f"{name}: {value}\r\n" for name, value in push.headers.items())
    path = XML_PUSH_PATH if api is Version.XML_PUSH else PATH
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode("latin-1")
    rehearsal = Rehearsal(settings)
    rehearsal.answer(read_captured(head + push.body, settings.server), "127.0.0.1")
    return rehearsal.entry.notification.key if rehearsal.entry else None
