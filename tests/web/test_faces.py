"""A face is one class: with a path of its own it is served, refused, and told of failures in its own form."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.errors import JournalUnavailableError
from soap_handler.faces.base import Answer, Exchange, Face, Request
from soap_handler.journal import Entry, Journal, Selection
from soap_handler.notifications import MessageEvent
from soap_handler.server.server import Server
from soap_handler.settings import ServerSettings
from soap_handler.web.application import Application
from tests.support.wire import Connection, ask, request

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from tests.support.wire import Answer as Received

BROKEN: Final = b"broken"
NOW: Final = datetime(2026, 3, 2, tzinfo=UTC)


class PlainFace(Face):
    """Takes an id as it is, and answers with a word."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.paths = (f"/{name}",)
        self.media_types = (f"text/x-{name}",)

    def prepare(self, request: Request) -> Exchange:
        if request.body == BROKEN:
            raise RuntimeError
        notification = MessageEvent(account="EX1", id=request.body.decode())
        return Exchange(Entry(notification, NOW), self._answer("200 OK", "taken"))

    def not_stored(self, error: BaseException) -> Answer:
        return self._answer("503 Service Unavailable", f"not stored: {type(error).__name__}")

    def refused(self, text: str, content_type: str = "", *, forbidden: bool = False) -> Answer:  # noqa: ARG002 - one form
        return self._answer("403 Forbidden" if forbidden else "400 Bad Request", text)

    def failed(self, content_type: str = "") -> Answer:  # noqa: ARG002 - one form
        return self._answer("500 Internal Server Error", "failed")

    def describe(self, query: Collection[str], address: str) -> Answer:
        return self._answer("200 OK", f"{sorted(query)} {address}")

    def _answer(self, status: str, text: str) -> Answer:
        return Answer(status, "text/x-plain", f"{self.name}: {text}".encode())


@contextmanager
def serving(journal: Journal) -> Iterator[int]:
    """Serve two faces; give the port."""
    application = Application([PlainFace("first"), PlainFace("second")], journal, max_body=100)
    server = Server(application, ServerSettings(port=0, max_body=100), application.face_or_first)
    thread = threading.Thread(target=server.run, args=(1,))
    thread.start()
    try:
        yield server.port
    finally:
        server.stop()
        thread.join()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as opened:
        yield opened


def posted(port: int, body: bytes, path: str) -> tuple[int, bytes]:
    return seen(ask(port, request(body, start=f"POST {path} HTTP/1.1")))


def seen(answer: Received) -> tuple[int, bytes]:
    return answer.status, answer.body


def test_each_face_takes_what_is_pushed_to_its_path(journal: Journal) -> None:
    """The path decides, in letters of either case; what is taken is in the journal before the answer."""
    with serving(journal) as port:
        assert posted(port, b"one", "/first") == (200, b"first: taken")
        assert posted(port, b"two", "/SECOND") == (200, b"second: taken")
        assert posted(port, b"three", "/third")[0] == 404
    assert {getattr(record.notification, "id", "") for record in journal.records(Selection())} == {"one", "two"}


def test_each_face_describes_itself(journal: Journal) -> None:
    """GET reaches the face with what was asked, and with its address."""
    with serving(journal) as port:
        answer = ask(port, b"GET /second?A&b=1 HTTP/1.1\r\nHost: here\r\n\r\n")
    assert seen(answer) == (200, b"second: ['a', 'b'] http://here/second")
    assert answer.headers["content-type"] == "text/x-plain"


def test_what_http_refuses_is_answered_in_the_form_of_the_face(journal: Journal) -> None:
    """By the application, by waitress, and before a path is known: then it is the first face's form."""
    chunked = b"POST /second HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    with serving(journal) as port:
        assert posted(port, b"x" * 101, "/second") == (400, b"second: The request is larger than 100 bytes")
        assert seen(ask(port, chunked))[1].startswith(b"second: The HTTP request was refused")
        assert seen(ask(port, b"nonsense\r\n\r\n"))[1].startswith(b"first: The HTTP request was refused")


def test_a_defect_of_a_face_is_answered_in_its_own_form(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    """EMS is asked to come back, and the connection is closed."""
    caplog.set_level("CRITICAL")
    with serving(journal) as port, Connection(port) as connection:
        answer = connection.ask(request(BROKEN, start="POST /second HTTP/1.1"))
        assert seen(answer) == (500, b"second: failed")


def test_a_commit_that_fails_is_told_to_the_face(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer takes the place of the one that confirms."""

    def unavailable(_entry: Entry) -> bool:
        raise JournalUnavailableError

    record: Callable[[Entry], bool] = unavailable
    monkeypatch.setattr(journal, "record", record)
    with serving(journal) as port:
        assert posted(port, b"one", "/second") == (503, b"second: not stored: JournalUnavailableError")


def test_a_media_type_may_lead_to_another_face_than_the_path(journal: Journal) -> None:
    """What HTTP refuses is then answered in its form too. XML goes by its path, and a path of none stays so."""
    claimed = "Content-Type: Text/X-Second; charset=utf-8"
    with serving(journal) as port:

        def asked(body: bytes, path: str = "/first") -> tuple[int, bytes]:
            return seen(ask(port, request(body, claimed, start=f"POST {path} HTTP/1.1")))

        assert asked(b"one") == (200, b"second: taken")
        assert asked(b"\xef\xbb\xbf<xml/>") == (200, b"first: taken")
        assert asked(b"x" * 101) == (400, b"second: The request is larger than 100 bytes")
        assert asked(b"two", "/second") == (200, b"second: taken")
        assert asked(b"three", "/third")[0] == 404
