"""The whole way of a POST behind the socket, and what must hold for any input on it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from lxml import etree
from pydantic import SecretStr

from soap_handler.accounts.accounts import Accounts
from soap_handler.contract import NAMESPACE, SOAP_11, SOAP_12
from soap_handler.faces.base import PATH, Request
from soap_handler.faces.form_post.face import FormPost
from soap_handler.faces.soap.endpoint import Endpoint
from soap_handler.faces.xml_push import PATH as PUSH_PATH
from soap_handler.faces.xml_push import XmlPush
from soap_handler.fast.assembly import FastSeams
from soap_handler.fast.usual_pushes import UsualPushes
from soap_handler.journal import Journal, Selection
from soap_handler.receive.receiver import Receiver
from soap_handler.settings import AccountSettings, PushCredentials
from soap_handler.web.application import Application
from tests.corpus.messages import PASSWORD, REFERENCE, USERNAME
from tests.faces.xml_push.xml_service import basic
from tests.support.events import captured_events
from tests.support.quickly import assert_alike, prepare_quickly

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from soap_handler.faces.base import Exchange, Face
    from soap_handler.journal import Entry

FORM_START: Final = (
    f"username={USERNAME}&password={PASSWORD}&account={REFERENCE}&notificationType=MessageReceived&".encode()
)
LOGIN: Final = basic(USERNAME, PASSWORD)
"""The Authorization header of a good login."""
SECONDS: Final = 2.0
"""In which any input must be answered."""
_TYPES: Final = {SOAP_11: "text/xml; charset=utf-8", SOAP_12: "application/soap+xml; charset=utf-8"}
_CODES: Final = {"soap:Client", "soap:Sender", "soap:VersionMismatch", "soap:MustUnderstand"}  # none is our fault
_PRIVATE: Final = (PASSWORD, "447700900123", "447786204254", "Yes please", "Switched off")


class _Watched(Journal):
    """A journal that remembers what it was last asked to store."""

    last: Entry | None = None

    def record(self, entry: Entry) -> bool:
        self.last = entry
        return super().record(entry)


class Target:
    """The WSGI application with a real journal behind it."""

    def __init__(self, journal: _Watched) -> None:
        push = (PushCredentials(username=USERNAME, password=SecretStr(PASSWORD)),)
        accounts = Accounts([AccountSettings(reference=REFERENCE, push=push)])
        self.journal = journal
        receiver = Receiver(accounts)
        self._endpoint = Endpoint(receiver, read_many=UsualPushes(receiver))
        self._application = Application([self._endpoint], journal)
        self._form = FormPost(receiver, FastSeams().read_many(FormPost, receiver))
        self._xml = XmlPush(receiver, read_many=FastSeams().read_many(XmlPush, receiver))
        self.stored = 0
        self.refused = 0
        self.elements = 0
        """How many inputs XML push took; the others count what SOAP did."""

    def post(self, body: bytes, content_type: str) -> None:
        """Post one input, and check everything that was promised about the answer."""
        self.journal.last = None
        began = time.monotonic()
        with captured_events() as logs:
            status, headers, answer = self._call(body, content_type)
        assert time.monotonic() - began < SECONDS, "it took too long"
        _check_private(answer, logs)
        root = etree.fromstring(answer)
        version = root.tag.removeprefix("{").removesuffix("}Envelope")
        assert headers["Content-Type"] == _TYPES[version]
        ((content,),) = root.iterchildren(f"{{{version}}}Body")
        if status.startswith("200"):
            self._check_stored(content)
        else:
            assert status.startswith("500")
            assert content.tag == f"{{{version}}}Fault"
            assert (content.findtext("faultcode") or content.findtext("{*}Code/{*}Value")) in _CODES, logs
            assert self.journal.last is None
            self.refused += 1
        self._check_quick(body, content_type)
        for form in (body, FORM_START + body):
            self._check_text(self._form, form, content_type)
        self._check_text(self._xml, body, content_type, PUSH_PATH)
        exchange = self._check_text(self._xml, body, content_type, PUSH_PATH, LOGIN)
        self.elements += exchange.entry is not None

    def _check_text(
        self, face: Face, body: bytes, content_type: str, path: str = "", authorization: str = ""
    ) -> Exchange:
        """Check the answer of a face that answers in plain text, to the same input, by either way of reading."""
        exchange = face.prepare(Request(body, "127.0.0.1", content_type, path, authorization))
        assert exchange.answer.content_type == "text/plain; charset=utf-8"
        assert exchange.answer.status[:3] in {"200", "400", "403"}, f"the face broke: {face.title}"
        assert exchange.answer.status.startswith("200") == (exchange.entry is not None)
        _check_private(exchange.answer.body, [])
        assert exchange.entry is None or PASSWORD.encode() not in (exchange.entry.envelope or b"")
        assert_alike(prepare_quickly(face, body, content_type, path, authorization), exchange)
        return exchange

    def _check_quick(self, body: bytes, content_type: str) -> None:
        """Check that the fast way leaves the input alone, or reads what the general way stored."""
        quick = prepare_quickly(self._endpoint, body, content_type)
        if quick is not None:
            general = self.journal.last
            assert (quick.entry is None) == (general is None), "the fast way takes what the general way refuses"
            if quick.entry is not None and general is not None:
                assert quick.entry.notification == general.notification, "the fast way reads other values"

    def _call(self, body: bytes, content_type: str) -> tuple[str, dict[str, str], bytes]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": PATH,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": content_type,
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.input": BytesIO(body),
        }
        started: list[Any] = []
        answer = b"".join(self._application(environ, lambda *begin: started.extend(begin)))  # type: ignore[arg-type] # it writes nothing early
        return started[0], dict(started[1]), answer

    def _check_stored(self, content: etree._Element) -> None:
        entry = self.journal.last
        assert entry is not None, "confirmed, but not stored"
        # The same bytes under another charset may have been stored before by what they say (journal/copies.py).
        keys = (entry.notification.key, replace(entry.notification, digest="").key)
        record = next(each for key in keys for each in self.journal.records(Selection(key=key)))
        assert content.tag == f"{{{NAMESPACE}}}{record.kind}Response"
        assert PASSWORD.encode() not in (entry.envelope or b""), "the password is kept"
        self.stored += 1


def _check_private(answer: bytes, logs: list[Any]) -> None:
    told = answer.decode() + repr(logs)
    assert [word for word in _PRIVATE if word in told] == [], "something private was told"


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """Open a target whose journal is in a folder."""
    with _Watched(f"sqlite:///{folder / 'journal.db'}") as journal:
        yield Target(journal)
