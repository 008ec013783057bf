"""The proxy's configuration as it is printed, in a real nginx and a real Caddy before a real service."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from contextlib import ExitStack, contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
import requests
import zeep

from soap_handler.contract import NAMESPACE
from soap_handler.deploy import caddy, nginx
from soap_handler.settings import ServerSettings
from soap_handler.web.pages.test_form import TEST_PATH
from tests.deploy.proxies import FILES, Proxy, certified, need, running
from tests.support import wire
from tests.support.events import captured_events
from tests.support.forms import FORM_TYPE
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCAL = (ip_network("127.0.0.0/8"),)


@contextmanager
def service_behind(kind: str, folder: Path, **changes: object) -> Iterator[tuple[Service, Proxy]]:
    server = ServerSettings.model_validate({"port": 0, "drain_timeout": 5, "trusted_proxies": ["127.0.0.1"], **changes})
    settings = settings_for(folder, server=server)
    with serving(settings) as service:
        known = settings.model_copy(update={"server": server.model_copy(update={"port": service.port})})
        with running(kind, folder, known) as proxy:
            yield service, proxy


@pytest.fixture(scope="module", params=list(FILES))
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Proxy]]:
    with service_behind(request.param, tmp_path_factory.mktemp(request.param)) as pair:
        yield pair


def url(proxy: Proxy, path: str = wire.PATH) -> str:
    return f"https://localhost:{proxy.https_port}{path}"


def post(proxy: Proxy, body: bytes, path: str = wire.PATH, **headers: str) -> requests.Response:
    headers = {"Content-Type": "text/xml; charset=utf-8", **headers}
    return requests.post(url(proxy, path), body, headers=headers, verify=str(proxy.root), timeout=10)


def test_zeep_reads_the_description_and_calls_by_https(behind: tuple[Service, Proxy]) -> None:
    """The WSDL shows the https address that the caller used, and the call through it is stored and handled."""
    service, proxy = behind
    session = requests.Session()
    session.verify = str(proxy.root)
    session.trust_env = False  # else a REQUESTS_CA_BUNDLE of this machine would go before the root of the test
    with session:
        make_client: Callable[..., Any] = zeep.Client  # it has no types
        make_transport: Callable[..., Any] = zeep.Transport
        client = make_client(url(proxy) + "?wsdl", transport=make_transport(session=session, timeout=10))
        (port,) = client.wsdl.services["AccountEventHandler"].ports.values()
        assert port.binding_options["address"] == url(proxy)
        header = client.get_element(f"{{{NAMESPACE}}}MessengerHeader")(
            Username=wire.USERNAME, Password=wire.PASSWORD, Account=wire.REFERENCE
        )
        known = len(service.handled)
        values = dict(wire.DEFAULTS["MessageReceived"], id="33333333-0000-4000-8000-000000000001")
        client.service.MessageReceived(**values, _soapheaders=[header])
    wait_for(lambda: len(service.handled) > known)


def test_the_log_shows_the_callers_address_and_not_the_proxys(behind: tuple[Service, Proxy]) -> None:
    """Of what the caller claims only the part counts that the proxy wrote."""
    _, proxy = behind
    body = wire.envelope(head=wire.header(password="wrong"))
    with captured_events() as logged:
        answer = post(proxy, body, **{"X-Forwarded-For": "203.0.113.9"})
    assert answer.status_code == 500
    assert b"Authentication failed" in answer.content
    (line,) = [line for line in logged if line["event"] == "authentication_failed"]
    # The proxy was called from 127.0.0.1, which is a trusted proxy too in this test; nginx hands on what stands
    # further left, Caddy does not.
    assert line["caller"] in {"203.0.113.9", "127.0.0.1"}


def test_http_is_refused_and_never_redirected(behind: tuple[Service, Proxy]) -> None:
    """Neither a description nor a push is answered in the clear."""
    _, proxy = behind
    address = f"http://localhost:{proxy.http_port}{wire.PATH}"
    for answer in (
        requests.get(address + "?wsdl", timeout=10, allow_redirects=False),
        requests.post(address, wire.envelope(), timeout=10, allow_redirects=False),
    ):
        assert answer.status_code == 403
        assert "Location" not in answer.headers
        assert b"https" in answer.content


PUBLIC = ("", ".asmx", ".aspx", ".asmx/", "?op=MessageReceived", ".asmx?wsdl", "?singleWsdl", "?wsdl12", "?disco")
"""What callers and browsers ask for below the endpoint's path."""


def get(proxy: Proxy, path: str) -> requests.Response:
    return requests.get(url(proxy, path), verify=str(proxy.root), timeout=10)


def test_the_endpoint_and_its_pages_are_reachable_and_nothing_else(behind: tuple[Service, Proxy]) -> None:
    """In any letter case, with a slash at the end or without; and the page at the root."""
    _, proxy = behind
    found = {path: get(proxy, path).status_code for path in ("/", wire.PATH.upper(), *(wire.PATH + x for x in PUBLIC))}
    lost = {path: get(proxy, path).status_code for path in ("/metrics", f"{wire.PATH}/x", "/x.asmx", "/x")}
    assert set(found.values()) == {200}, found
    assert set(lost.values()) == {404}, lost


def test_through_the_proxy_no_caller_is_on_this_machine(behind: tuple[Service, Proxy]) -> None:
    """A browser here that comes by the proxy is shown no test form, and what it sends does not get through."""
    service, proxy = behind
    assert b"<form" not in get(proxy, f"{wire.PATH}?op=MessageReceived").content
    direct = requests.get(f"http://127.0.0.1:{service.port}{wire.PATH}?op=MessageReceived", timeout=10)
    assert b"<form" in direct.content
    sent = post(proxy, b"operation=MessageReceived", TEST_PATH, **{"Content-Type": FORM_TYPE})
    assert sent.status_code == 404


def test_xml_push_passes_and_its_tokens_are_not_logged(behind: tuple[Service, Proxy]) -> None:
    """``/push`` and every address below it; the access log, where there is one, does not have them."""
    _, proxy = behind
    body = b"<OptOut><AccountId>x</AccountId></OptOut>"
    for path in ("/push", "/push/a-token-of-xml-push", "/PUSH/a-token-of-xml-push/inbound"):
        answer = requests.post(url(proxy, path), body, verify=str(proxy.root), timeout=10)
        assert (answer.status_code, answer.text) == (403, "Authentication failed")
    assert requests.post(url(proxy, "/pushed"), body, verify=str(proxy.root), timeout=10).status_code == 404
    post(proxy, wire.envelope())
    log = proxy.root.parent / "access.log"
    if log.exists():  # nginx; Caddy has none unless it is told to
        wait_for(lambda: wire.PATH in log.read_text(encoding="utf-8"))
        assert "a-token-of-xml-push" not in log.read_text(encoding="utf-8")


def test_only_tls_1_2_and_later_is_spoken(behind: tuple[Service, Proxy]) -> None:
    """An older protocol is refused in the handshake; the certificate is the one of the settings."""
    _, proxy = behind
    for version, spoken in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
        context = ssl.create_default_context(cafile=str(proxy.root))
        context.minimum_version = context.maximum_version = version
        assert _handshake(context, proxy) is spoken
    context = ssl.create_default_context(cafile=str(proxy.root))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert not _handshake(context, proxy)


def _handshake(context: ssl.SSLContext, proxy: Proxy) -> bool:
    with socket.create_connection(("127.0.0.1", proxy.https_port), 10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost"):
                return True
        except (ssl.SSLError, ConnectionError):
            return False


SPOKEN = {
    "SOAP 1.1": (wire.PATH, "text/xml; charset=utf-8", "text/xml", b"soap:Client", b"soap:Server"),
    "SOAP 1.2": (wire.PATH, "application/soap+xml", "application/soap+xml", b"soap:Sender", b"soap:Receiver"),
    "Form Post": (f"{wire.PATH}.aspx", FORM_TYPE, "text/plain", b"refused", b"again"),
    "XML push": ("/push/inbound", "application/xml", "text/plain", b"refused", b"again"),
}
"""Path and Content-Type of a request; media type of its answer, and a word of that: when it is refused, and put off."""


@pytest.mark.parametrize("version", SPOKEN)
def test_what_the_proxy_refuses_is_refused_in_the_form_that_was_spoken(
    behind: tuple[Service, Proxy], version: str
) -> None:
    """A body over the limit: each caller can read the answer."""
    _, proxy = behind
    path, content_type, media_type, *words = SPOKEN[version]
    answer = post(proxy, b"x" * 300_000, path, **{"Content-Type": content_type})
    assert answer.status_code in ({400, 503} if media_type == "text/plain" else {500})
    assert answer.headers["Content-Type"].partition(";")[0] == media_type
    assert any(word in answer.content for word in words)  # refused by nginx; to Caddy it is a service that broke off
    assert "Server" not in answer.headers or "/" not in answer.headers["Server"]


@pytest.mark.parametrize("kind", list(FILES))
def test_a_service_that_is_away_is_asked_again(kind: str, tmp_path: Path) -> None:
    """By a Server fault, or 503: EMS is to come back when the service is restarted."""
    settings = settings_for(tmp_path, server=ServerSettings(port=1))
    with running(kind, tmp_path, settings) as proxy:
        for path, content_type, media_type, _, word in SPOKEN.values():
            answer = post(proxy, wire.envelope(), path, **{"Content-Type": content_type})
            assert answer.status_code == (503 if media_type == "text/plain" else 500)
            assert answer.headers["Content-Type"].partition(";")[0] == media_type
            assert word in answer.content


@pytest.mark.parametrize("kind", list(FILES))
def test_a_base_path_is_taken_off(kind: str, tmp_path: Path) -> None:
    """With public_url = https://host/sms the endpoint is below /sms, and only there."""
    with service_behind(kind, tmp_path, public_url="https://localhost/sms") as (_, proxy):
        # the address names the standard port, which this test cannot have
        answer = post(proxy, wire.envelope(), f"/sms{wire.PATH}")
        assert answer.status_code == 200
        assert post(proxy, wire.envelope()).status_code == 404
        roots = {path: get(proxy, path).status_code for path in ("/sms", "/sms/", "/")}
        assert roots == {"/sms": 200, "/sms/": 200, "/": 404}


def test_a_test_form_for_everybody_passes_the_proxy(tmp_path: Path) -> None:
    """Only then is the path to which it is sent in the files."""
    for form, passed in (("local", False), ("everywhere", True)):
        settings = settings_for(tmp_path, server=ServerSettings.model_validate({"test_form": form}))
        ending = f"|{TEST_PATH.removeprefix(wire.PATH)})"
        assert [(ending in made(settings)) for made in (nginx, caddy)] == [passed, passed]


def test_a_path_prefix_is_in_the_address(tmp_path: Path) -> None:
    """The service takes an address without its prefix too, so taking it off does no harm."""
    server = ServerSettings(public_url="https://sms.example.com", path_prefix="/Services")
    for made in (nginx, caddy):
        assert "^/Services/AccountEventHandler" in made(settings_for(tmp_path, server=server))


def test_the_limits_are_those_of_the_settings(tmp_path: Path) -> None:
    """Changing a limit of the service changes the proxy's."""
    server = ServerSettings(port=8123, max_body=5000, request_timeout=17.2, connections=31, max_header_size=4096)
    settings = settings_for(tmp_path, server=server)
    text = nginx(settings)
    for line in (
        "server 127.0.0.1:8123;",
        "client_max_body_size 5000;",
        "client_header_timeout 18s;",
        "client_body_timeout 10s;",
        "limit_conn soap_handler_connections 31;",
        "limit_conn soap_handler_callers 16;",
        "large_client_header_buffers 4 4096;",
        "trusted_proxies",
        "public_url",
    ):
        assert line in text
    assert "max_size 5000" in caddy(settings)
    assert "read_body 18s" in caddy(settings)


def test_nginx_gives_one_address_no_more_than_its_share(tmp_path: Path) -> None:
    """A stranger who opens connections and sends half a request does not take EMS's places: EMS has another address."""
    with service_behind("nginx", tmp_path, connections=40) as (_, proxy), ExitStack() as held:
        context = ssl.create_default_context(cafile=str(proxy.root))
        for _ in range(30):
            plain = held.enter_context(socket.create_connection(("127.0.0.2", proxy.https_port), 10, ("127.0.0.2", 0)))
            half = held.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            half.sendall(f"POST {wire.PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n".encode())
        assert post(proxy, wire.envelope()).status_code == 200


def test_ready_settings_leave_no_advice(tmp_path: Path) -> None:
    """The address comes from public_url, its port included."""
    server = ServerSettings(public_url="https://sms.example.com:8443", trusted_proxies=LOCAL)
    text = nginx(settings_for(tmp_path, server=server))
    assert "server_name sms.example.com;" in text
    assert "listen 8443 ssl;" in text
    assert "# Set " not in text


def test_caddy_finds_nothing_wrong_with_its_file(tmp_path: Path) -> None:
    """``caddy validate`` passes."""
    need("caddy")
    ports, _ = certified(tmp_path)
    (tmp_path / "Caddyfile").write_text(caddy(settings_for(tmp_path), ports))
    command = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    environ = dict(os.environ, HOME=str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr
