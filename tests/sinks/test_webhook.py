"""The sink that calls a web hook, against real servers on a socket."""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import standardwebhooks
import trustme

from soap_handler.errors import SinkDownError, SinkRefusedError
from soap_handler.settings.sinks import WebhookSettings
from soap_handler.sinks.form import form
from soap_handler.sinks.http import Sessions
from soap_handler.sinks.webhook import Webhook
from tests.sinks.deliveries import ALL_KINDS, AWKWARD, received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from soap_handler.sinks.base import Delivery

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()


class Endpoint:
    """A web hook that keeps what it gets, and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.connections = 0
        self.answer: Callable[[bytes], tuple[int, dict[str, str]]] = lambda _: (204, {})
        self.reply: Callable[[bytes], tuple[int, bytes]] | None = None
        """Returns a status and a content, where each request gets one of its own."""
        self.content = b""
        self.delay = 0.0
        self.url = ""

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.requests]


@contextmanager
def endpoint(context: ssl.SSLContext | None = None, *, port: int = 0) -> Iterator[Endpoint]:
    found = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            found.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            time.sleep(found.delay)
            status, headers = found.answer(body)
            content = found.content
            if found.reply is not None:
                status, content = found.reply(body)
                headers = {"Content-Length": str(len(content))}
            self.send_response(status)
            for name, value in (
                headers if "Transfer-Encoding" in headers else {"Content-Length": "0", **headers}
            ).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def do_OPTIONS(self) -> None:
            self.send_response(found.answer(b"")[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # a caller that refuses our certificate is what a test is about

    server = Server(("127.0.0.1", port), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    found.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}/sms"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def hook() -> Iterator[Endpoint]:
    """Return an endpoint that takes everything."""
    with endpoint() as found:
        yield found


@contextmanager
def webhook(url: str, **settings: Any) -> Iterator[Webhook]:
    sink = Webhook(WebhookSettings.model_validate({"type": "webhook", "url": url, "timeout": 5, **settings}))
    try:
        yield sink
    finally:
        sink.close()


@pytest.mark.parametrize("delivery", ALL_KINDS, ids=lambda each: str(each.notification.kind))
def test_each_kind_arrives_as_its_json_form(hook: Endpoint, delivery: Delivery) -> None:
    """The body is the form that all sinks send, the key is the id and the idempotency key."""
    with webhook(hook.url) as sink:
        sink.deliver(delivery)
    ((headers, body),) = hook.requests
    assert json.loads(body) == form(delivery)
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == delivery.notification.key
    assert headers["idempotency-key"] == f'"{delivery.notification.key}"'
    assert headers["traceparent"].startswith("00-")


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD)
def test_each_text_arrives_exactly(hook: Endpoint, text: str) -> None:
    """Emoji, NUL, half a surrogate pair, ten thousand characters."""
    with webhook(hook.url) as sink:
        sink.deliver(received(body=text))
    assert hook.bodies[0]["body"] == text


@pytest.mark.parametrize("batch", [1, 5])
def test_the_library_of_the_standard_verifies_the_signature(hook: Endpoint, batch: int) -> None:
    """The signature is made by five lines of ours, which need no package: its authors' own library accepts it."""
    with webhook(hook.url, batch=batch, secrets=[{"secret": OTHER_SECRET}, {"secret": SECRET}]) as sink:
        sink.deliver(received(body=AWKWARD["emoji"]))
    ((headers, body),) = hook.requests
    for secret in (SECRET, OTHER_SECRET):
        assert standardwebhooks.Webhook(secret).verify(body, headers) == json.loads(body)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(body + b" ", headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook("whsec_" + base64.b64encode(bytes(32)).decode()).verify(body, headers)


def test_a_receiver_in_node_verifies_the_signature() -> None:
    """Both secrets sign while one is replaced, so the receiver may know the old or the new one."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    script = Path(__file__).parent / "receiver.mjs"
    with subprocess.Popen([node, script, SECRET], stdout=subprocess.PIPE, text=True) as receiver:
        try:
            assert receiver.stdout is not None
            url = f"http://127.0.0.1:{int(receiver.stdout.readline())}/"
            with webhook(url, secrets=[{"secret": OTHER_SECRET}, {"secret": SECRET}]) as sink:
                sink.deliver(received(body="Grüße 🚌"))
                assert receiver.stdout.readline() == "Grüße 🚌\n"
            with webhook(url, secrets=[{"secret": OTHER_SECRET}]) as sink, pytest.raises(SinkDownError, match="401"):
                sink.deliver(received())
        finally:
            receiver.kill()


@pytest.mark.parametrize(
    ("settings", "authorization"),
    [
        ({"username": "ems", "password": "pässword"}, "Basic " + base64.b64encode("ems:pässword".encode()).decode()),
        ({"bearer_token": "t0ken"}, "Bearer t0ken"),
        ({"headers": [{"name": "Authorization", "value": "Custom x"}]}, "Custom x"),
    ],
)
def test_the_login_is_sent(hook: Endpoint, settings: dict[str, Any], authorization: str) -> None:
    """Basic, bearer, or a header of the customer's own."""
    with webhook(hook.url, **settings) as sink:
        sink.deliver(received())
    assert hook.requests[0][0]["authorization"] == authorization


@pytest.mark.parametrize("status", [400, 406, 409, 413, 415, 422])
def test_a_refusal_is_the_notifications(hook: Endpoint, status: int) -> None:
    """The endpoint works, and refuses this one."""
    hook.answer = lambda _: (status, {})
    with webhook(hook.url) as sink, pytest.raises(SinkRefusedError, match=str(status)):
        sink.deliver(received())


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 408, 425, 429, 500, 502, 503])
def test_other_failures_are_the_sinks(hook: Endpoint, status: int) -> None:
    """Load, login, a moved address or an error: each notification would get the same, so none is blamed."""
    hook.answer = lambda _: (status, {"Location": "http://127.0.0.1:1/elsewhere"})
    with webhook(hook.url) as sink, pytest.raises(SinkDownError, match=str(status)) as caught:
        sink.deliver(received())
    assert not caught.value.for_good
    assert len(hook.requests) == 1


def test_gone_is_for_good(hook: Endpoint) -> None:
    """410: the endpoint asks for no more, which a person must see."""
    hook.answer = lambda _: (410, {})
    with webhook(hook.url) as sink, pytest.raises(SinkDownError) as caught:
        sink.deliver(received())
    assert caught.value.for_good


@pytest.mark.parametrize(("text", "low", "high"), [("7", 7, 7), ("Fri, 01 Jan 2100 00:00:00 GMT", 86400, 86400)])
def test_retry_after_is_honoured(hook: Endpoint, text: str, low: float, high: float) -> None:
    """As seconds or as a date; for a day at most."""
    hook.answer = lambda _: (503, {"Retry-After": text})
    with webhook(hook.url) as sink, pytest.raises(SinkDownError) as caught:
        sink.deliver(received())
    assert caught.value.after is not None
    assert low <= caught.value.after <= high


@pytest.mark.parametrize("text", ["soon", "-1", "", "1e9"])
def test_an_unreadable_retry_after_counts_for_nothing(hook: Endpoint, text: str) -> None:
    """The usual back-off holds then."""
    hook.answer = lambda _: (503, {"Retry-After": text})
    with webhook(hook.url) as sink, pytest.raises(SinkDownError) as caught:
        sink.deliver(received())
    assert caught.value.after is None


def test_the_connection_is_kept_alive(hook: Endpoint) -> None:
    """Many notifications, one connection."""
    with webhook(hook.url) as sink:
        for number in range(20):
            sink.deliver(received(str(number)))
    assert hook.connections == 1


def test_an_answer_in_pieces_is_read_whole_and_its_connection_kept(hook: Endpoint) -> None:
    """Chunked, as frameworks send it by themselves: the connection is free again only behind the last chunk."""
    hook.answer = lambda _: (200, {"Transfer-Encoding": "chunked"})
    hook.content = b"6\r\nfirst \r\n5\r\nother\r\n0\r\n\r\n"
    sessions = Sessions(timeout=10)
    bodies = [sessions.request("POST", hook.url, data=b"{}").body for _ in range(3)]
    sessions.close()
    assert bodies == [b"first other"] * 3
    assert hook.connections == 1


def test_no_more_is_read_of_an_answer_than_could_be_of_use(hook: Endpoint) -> None:
    """What comes behind that is left, and the connection with it."""
    hook.answer = lambda _: (200, {"Transfer-Encoding": "chunked"})
    hook.content = (b"8000\r\n" + bytes(0x8000) + b"\r\n") * 20 + b"0\r\n\r\n"
    sessions = Sessions(timeout=10)
    assert len(sessions.request("POST", hook.url, data=b"{}").body) < 0x8000 * 4
    sessions.close()


def test_an_endpoint_that_hangs_is_given_up_in_time(hook: Endpoint) -> None:
    """``timeout`` holds for the whole answer."""
    hook.delay = 1.0
    with webhook(hook.url, timeout=0.2) as sink, pytest.raises(SinkDownError, match="Timeout"):
        sink.deliver(received())


def test_a_closed_port_is_the_sinks_fault_and_no_secret_is_told() -> None:
    """The text names the reason, and neither address nor login."""
    url = "http://127.0.0.1:9/t0psecret"
    with webhook(url, bearer_token="t0psecret") as sink:
        with pytest.raises(SinkDownError, match="refused") as caught:
            sink.deliver(received())
        with pytest.raises(SinkDownError, match="refused"):
            sink.probe()
    assert "t0psecret" not in str(caught.value)


def test_a_certificate_must_be_trusted(tmp_path: Path) -> None:
    """With ``ca_bundle`` it is; without it the error says that the issuer is unknown."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with endpoint(context) as hook:
        with webhook(hook.url, ca_bundle=tmp_path / "ca.pem") as sink:
            sink.deliver(received())
            assert "HTTP 204" in sink.probe()
        with webhook(hook.url) as sink, pytest.raises(SinkDownError, match="unknown issuer"):
            sink.deliver(received())
    assert len(hook.requests) == 1


def test_a_certificate_for_another_name_is_named(tmp_path: Path) -> None:
    """The reason is in words."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("example.com").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with (
        endpoint(context) as hook,
        webhook(hook.url, ca_bundle=tmp_path / "ca.pem") as sink,
        pytest.raises(SinkDownError, match="another"),
    ):
        sink.deliver(received())


def test_the_client_shows_its_certificate(tmp_path: Path) -> None:
    """Mutual TLS: an endpoint that asks for a certificate gets it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    client = authority.issue_cert("soap-handler")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    certificates = {"ca_bundle": tmp_path / "ca.pem", "client_certificate": tmp_path / "client.pem"}
    with endpoint(context) as hook, webhook(hook.url, **certificates) as sink:
        sink.deliver(received())
    assert len(hook.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500, 302])
def test_the_probe_names_what_would_take_nothing(hook: Endpoint, status: int) -> None:
    """``OPTIONS`` writes nothing; a login that is refused shows all the same."""
    hook.answer = lambda _: (status, {})
    with webhook(hook.url) as sink, pytest.raises(SinkDownError, match=str(status)):
        sink.probe()
