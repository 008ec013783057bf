"""The sink that relays to another Account Event Handler: our own service, and PHP's SoapServer."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.contract import wsdl_path
from soap_handler.errors import SinkDownError, SinkRefusedError
from soap_handler.notifications import EventType, MessageEvent, MessageReceived, MessageType
from soap_handler.settings.sinks import SoapSettings
from soap_handler.sinks.base import Delivery
from soap_handler.sinks.soap import SoapRelay
from soap_handler.trace_context import carried
from tests.sinks.deliveries import ALL_KINDS, AWKWARD, STORED, received
from tests.sinks.test_webhook import endpoint
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import PASSWORD, PATH, REFERENCE, USERNAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def relay(url: str, **settings: Any) -> Iterator[SoapRelay]:
    values = {"type": "soap", "url": url, "username": "relay", "password": "päss", "timeout": 10, **settings}
    sink = SoapRelay(SoapSettings.model_validate(values))
    try:
        yield sink
    finally:
        sink.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a whole service as the peer."""
    with serving(settings_for(tmp_path_factory.mktemp("peer"))) as found:
        yield found


@contextmanager
def to_service(service: Service, **settings: Any) -> Iterator[SoapRelay]:
    login = {"username": USERNAME, "password": PASSWORD, "account": REFERENCE, **settings}
    with relay(f"http://127.0.0.1:{service.port}{PATH}", **login) as sink:
        yield sink


def test_the_trace_context_of_the_attempt_goes_along() -> None:
    """As the header of HTTP, where an instrumented handler looks for it; made up from the key where traces are off."""
    context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with endpoint() as hook, relay(hook.url) as sink:
        for several in (carried(context), nullcontext(), nullcontext()):
            with several, pytest.raises(SinkDownError, match="204"):
                sink.deliver(received())
    given = [headers["traceparent"] for headers, _ in hook.requests]
    assert given[0] == context
    (trace, span), (same_trace, other_span) = (each.split("-")[1:3] for each in given[1:])
    assert trace == same_trace
    assert span != other_span


def told(service: Service, delivery: Delivery) -> Any:
    """Relay to the service; return what its handler is given."""
    known = len(service.handled)
    with to_service(service) as sink:
        sink.deliver(delivery)
    wait_for(lambda: len(service.handled) > known)
    return service.handled[-1]


@pytest.mark.parametrize("delivery", ALL_KINDS, ids=lambda each: str(each.notification.kind))
def test_each_kind_arrives_with_its_values(service: Service, delivery: Delivery) -> None:
    """The handler behind the relay gets what ours would have got, the unreadable time in the provider's own words."""
    arrived = told(service, delivery)
    expected = replace(delivery.notification, account=REFERENCE)
    assert replace(arrived, repaired=(), digest="") == replace(expected, repaired=())


@pytest.mark.parametrize("name", [name for name in AWKWARD if name not in {"nul", "surrogate"}])
def test_each_text_arrives_exactly(service: Service, name: str) -> None:
    """Line ends, ``]]>``, emoji, control characters, ten thousand characters."""
    identity = f"00000000-0000-4000-8000-{abs(hash(name)) % 10**12:012}"
    assert told(service, received(identity, AWKWARD[name] + "\x0c")).body == AWKWARD[name] + "\x0c"


def test_what_no_xml_can_say_is_replaced(service: Service) -> None:
    """NUL and half a surrogate pair become U+FFFD: the message is relayed, not stuck for ever."""
    arrived = told(service, received("00000000-0000-4000-8000-00000000abcd", "a\0b\ud83dc"))
    assert arrived.body == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"


def test_an_unknown_value_is_passed_on(service: Service) -> None:
    """The relay knows no better than EMS."""
    message = MessageReceived(account="x", id="00000000-0000-4000-8000-0000000000aa", type=MessageType("Hologram"))
    assert told(service, Delivery(message, STORED)).type == "Hologram"
    event = MessageEvent(account="x", id="00000000-0000-4000-8000-0000000000ab", event_type=EventType("Beamed"))
    assert told(service, Delivery(event, STORED)).event_type == "Beamed"


def test_a_refused_login_is_the_sinks_fault(service: Service) -> None:
    """Every notification would be refused, so none is blamed; the password is not told."""
    with to_service(service, password="wrong-one") as sink, pytest.raises(SinkDownError, match="Auth") as caught:
        sink.deliver(received())
    assert "wrong-one" not in str(caught.value)


def test_the_probe_finds_the_description(service: Service) -> None:
    """A GET of ``?wsdl`` does no harm."""
    with to_service(service) as sink:
        assert "HTTP 200" in sink.probe()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>welcome</html>"),
        (200, b"<a:Envelope xmlns:a='http://schemas.xmlsoap.org/soap/envelope/'><a:Body/></a:Envelope>"),
        (500, b"oops"),
        (404, b""),
    ],
)
def test_anything_but_the_response_is_a_failure(status: int, body: bytes) -> None:
    """HTTP 200 alone confirms nothing."""
    with endpoint() as hook, relay(hook.url) as sink:
        hook.answer = lambda _: (status, {"Content-Length": str(len(body))})
        hook.content = body
        with pytest.raises(SinkDownError, match=str(status)):
            sink.deliver(received())


# -- PHP ---------------------------------------------------------------------------------------------------------------


class Php:
    """PHP's own server with a SoapServer in it."""

    def __init__(self, folder: Path) -> None:
        self.told = folder / "told"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        script = os.path.join(os.path.dirname(__file__), "handler.php")  # noqa: PTH118, PTH120 - for the command line
        environment = {**os.environ, "WSDL": str(wsdl_path("AccountEventHandler")), "TOLD": str(self.told)}
        command = ["php", "-d", "display_errors=0", "-S", f"127.0.0.1:{self.port}", script]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/handler.php"

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return

    def last(self) -> Any:
        return json.loads(self.told.read_text().splitlines()[-1])


@pytest.fixture(scope="module")
def php(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Php]:
    """Return a handler in PHP."""
    if shutil.which("php") is None or "soap" not in subprocess.check_output(["php", "-m"], text=True):
        pytest.skip("php with its soap extension is not installed")
    server = Php(tmp_path_factory.mktemp("php"))
    try:
        server.wait_until_up()
        yield server
    finally:
        server.process.kill()
        server.process.wait()


@pytest.mark.parametrize("delivery", ALL_KINDS, ids=lambda each: str(each.notification.kind))
def test_a_handler_in_php_gets_each_kind(php: Php, delivery: Delivery) -> None:
    """An old endpoint works behind the relay as it is."""
    with relay(php.url) as sink:
        sink.deliver(delivery)
    line = php.last()
    assert (line["operation"], line["account"]) == (delivery.notification.kind.value, "EX0000001")


def test_a_handler_in_php_gets_the_text(php: Php) -> None:
    """Emoji and ``]]>`` arrive as they are."""
    with relay(php.url) as sink:
        sink.deliver(received(body=AWKWARD["emoji"] + AWKWARD["cdata"]))
    assert php.last()["values"]["body"] == AWKWARD["emoji"] + AWKWARD["cdata"]


def test_a_fault_of_php_is_told_apart(php: Php) -> None:
    """A refusal of one message is that message's; a refused login is the sink's."""
    with relay(php.url) as sink, pytest.raises(SinkRefusedError, match="not this one"):
        sink.deliver(received(body="refuse me"))
    with relay(php.url, password="other") as sink, pytest.raises(SinkDownError, match="Authentication failed"):
        sink.deliver(received())
