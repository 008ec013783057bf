"""What the tests of the simulated EMS share: an account, an inbox, a zeep client, and handlers on real sockets."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import zeep
from lxml import etree
from zeep.transports import Transport

from soap_handler.contract import NAMESPACE, SOAP_11, wsdl_path
from soap_handler.ems import EmsAccount, InboxService
from soap_handler.ems.listener import Listener
from tests.support.waiting import wait_for

ACCOUNT = EmsAccount(
    reference="EX0012345",
    number="447786204254",
    username="inbox-user",
    password="inbox-secret",
    push_username="ems",
    push_password="s3cret",
)
HEADER = {"MessengerHeader": {"Username": "inbox-user", "Password": "inbox-secret", "Account": "EX0012345"}}

ZeepFor = Callable[[str], Any]


@pytest.fixture
def inbox() -> Iterator[InboxService]:
    with InboxService([ACCOUNT]) as service:
        yield service


@pytest.fixture
def zeep_for() -> Iterator[ZeepFor]:
    """Give a way to make zeep's proxy of the inbox at an address, from the bundled WSDL."""
    with contextlib.ExitStack() as sessions:

        def proxy(url: str) -> Any:
            session = sessions.enter_context(requests.Session())
            make_transport: Callable[..., Any] = Transport
            make_client: Callable[..., Any] = zeep.Client
            transport = make_transport(session=session, timeout=5, operation_timeout=5)
            client = make_client(str(wsdl_path("InboxService")), transport=transport)
            return client.create_service(f"{{{NAMESPACE}}}InboxServiceSoap", url)

        yield proxy


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Whatever a test starts has ended with it."""
    before = set(threading.enumerate())
    yield
    wait_for(lambda: {thread for thread in threading.enumerate() if "ems" in thread.name} <= before)


class RecordingHandler:
    """An Account Event Handler that keeps what it was sent, and may answer the first calls in its own way."""

    def __init__(self, *first_answers: tuple[str, str, bytes]) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self._first_answers = list(first_answers)
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        operation = environ["HTTP_SOAPACTION"].strip('"').rpartition("/")[2]
        with self._lock:
            self.requests.append((environ["HTTP_SOAPACTION"], environ["wsgi.input"].read()))
            answer = self._first_answers.pop(0) if self._first_answers else right(operation)
        status, media_type, body = answer
        head = [("Content-Type", media_type), ("Content-Length", str(len(body))), ("Location", "/elsewhere")]
        start_response(status, head)
        return [body]

    def values(self, name: str) -> list[str | None]:
        """Return the text of this element in every request, in the order in which they came."""
        return [etree.fromstring(body).findtext(f".//{{{NAMESPACE}}}{name}") for _, body in self.requests]


def envelope(content: str) -> bytes:
    return f'<s:Envelope xmlns:s="{SOAP_11}"><s:Body>{content}</s:Body></s:Envelope>'.encode()


def right(operation: str) -> tuple[str, str, bytes]:
    """Return the one answer that counts as success."""
    return "200 OK", "text/xml; charset=utf-8", envelope(f'<{operation}Response xmlns="{NAMESPACE}"/>')


@contextlib.contextmanager
def served(handler: RecordingHandler) -> Iterator[str]:
    """Serve a handler and give its address."""
    with Listener(handler) as listener:
        yield f"http://127.0.0.1:{listener.port}/AccountEventHandler"
