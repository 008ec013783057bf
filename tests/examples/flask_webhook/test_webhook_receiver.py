"""The example of a receiver of web hooks, tested as its author would: called by the service over a socket."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import requests
from werkzeug.serving import make_server

from tests.examples.flask_webhook import receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.testing import StartService

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the receiver; return its address."""
    monkeypatch.setenv("SMS_SECRET", SECRET)
    receiver.messages.clear()
    server = make_server("127.0.0.1", 0, receiver.app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/sms"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_message_arrives_signed(soap_handler_service: StartService, url: str) -> None:
    """It is confirmed, and then leaves the EMS inbox."""
    service = soap_handler_service(sink={"type": "webhook", "url": url, "secrets": [{"secret": SECRET}]})
    message = service.receive("See you at 7, José")
    service.wait_until_done(message)
    assert receiver.messages == {message.key: "See you at 7, José"}


def test_without_our_signature_nothing_is_taken(soap_handler_service: StartService, url: str) -> None:
    """Neither from the service with another secret nor from anyone else; the message waits."""
    another = "whsec_" + "A" * 32
    service = soap_handler_service(sink={"type": "webhook", "url": url, "secrets": [{"secret": another}]})
    message = service.receive("hello")
    service.wait_until_failed(message)
    assert "401" in service.errors(message)[0]
    assert requests.post(url, json={"kind": "MessageReceived"}, timeout=10).status_code == 401
    assert receiver.messages == {}
