"""The SOAP face with a real journal behind it, without sockets."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from soap_handler.accounts.accounts import Accounts
from soap_handler.faces.base import Request
from soap_handler.faces.soap.endpoint import Endpoint
from soap_handler.faces.unpack import unpack
from soap_handler.fast.usual_pushes import UsualPushes
from soap_handler.journal import Journal
from soap_handler.receive.receiver import Receiver
from soap_handler.settings import AccountSettings, PushCredentials
from tests.corpus.messages import PASSWORD, REFERENCE, USERNAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from soap_handler.faces.base import Answer, Exchange

MAX_BODY: Final = 262_144


@dataclass
class SoapService:
    """From a request's bytes to its row in the journal."""

    endpoint: Endpoint
    journal: Journal
    path: Path
    """The journal's file."""

    def prepare(self, body: bytes, content_type: str, content_encoding: str = "") -> Exchange:
        request = Request(body, "127.0.0.1", content_type, content_encoding=content_encoding)
        return self.endpoint.prepare(unpack(request, MAX_BODY))

    def post(self, body: bytes, content_type: str = "text/xml; charset=utf-8", content_encoding: str = "") -> Answer:
        exchange = self.prepare(body, content_type, content_encoding)
        if exchange.entry is not None:
            self.journal.record(exchange.entry)
        return exchange.answer


@contextmanager
def opened(folder: Path) -> Iterator[SoapService]:
    """Open a service whose journal is in a folder."""
    push = (PushCredentials(username=USERNAME, password=SecretStr(PASSWORD)),)
    accounts = Accounts([AccountSettings(reference=REFERENCE, push=push, time_zone="Europe/London")])
    path = folder / "journal.db"
    with Journal(f"sqlite:///{path}") as journal:
        receiver = Receiver(accounts)
        yield SoapService(Endpoint(receiver, read_many=UsualPushes(receiver)), journal, path)
