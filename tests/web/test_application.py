"""The addresses of the service: what GET gives, and HTTP around the SOAP face."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests
import zeep
from lxml import etree
from zeep.transports import Transport

from soap_handler.contract import wsdl_path
from soap_handler.notifications import (
    ErrorType,
    EventCode,
    FailureReason,
    MessageError,
    MessageEvent,
    MessageReceived,
    MessageType,
    SubscriptionEvent,
)
from soap_handler.settings import ServerSettings
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import PATH, Connection, ask, message, request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.wire import Answer

HEADER = {"MessengerHeader": {"Username": "ems", "Password": "s3cret", "Account": "EX0012345"}}


def get(port: int, target: str, host: str = "Host: localhost") -> Answer:
    return ask(port, f"GET {target} HTTP/1.1\r\n{host}\r\n\r\n".encode("latin-1"))


def address_in(answer: Answer) -> str:
    found = etree.fromstring(answer.body).find(".//{http://schemas.xmlsoap.org/wsdl/soap/}address")
    assert found is not None
    return str(found.get("location"))


def canonical(root: etree._Element) -> str:
    return str(etree.canonicalize(etree.tostring(root, encoding="unicode")))


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("/AccountEventHandler?wsdl", "http://sms.example.com/AccountEventHandler"),
        ("/AccountEventHandler?WSDL", "http://sms.example.com/AccountEventHandler"),
        ("/AccountEventHandler.asmx?wsdl", "http://sms.example.com/AccountEventHandler.asmx"),
        ("/accounteventhandler.ASMX?x=1&wsdl=1", "http://sms.example.com/AccountEventHandler.asmx"),
    ],
)
def test_the_wsdl_has_the_address_that_the_caller_used(shared: Service, target: str, address: str) -> None:
    """Without ``public_url`` the address comes from this request: its Host and its path."""
    answer = get(shared.port, target, "Host: sms.example.com")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert address_in(answer) == address


def test_no_address_is_remembered_from_another_request(shared: Service) -> None:
    """Callers with different Hosts, also at once, each find their own."""
    hosts = [f"host-{number}.example:{8000 + number}" for number in range(20)]
    found: dict[str, str] = {}

    def look(host: str) -> None:
        found[host] = address_in(get(shared.port, f"{PATH}?wsdl", f"Host: {host}"))

    threads = [threading.Thread(target=look, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {host: f"http://{host}{PATH}" for host in hosts}


@pytest.mark.parametrize("host", ["X: y", "Host: [::1]:80", 'Host: a"><evil/>', "Host: a/b?c#d", "Host: a\xe9\x01"])
def test_a_strange_host_does_no_harm(shared: Service, host: str) -> None:
    """Whatever Host says, the answer is a WSDL with one harmless address, or a refusal."""
    answer = get(shared.port, f"{PATH}?wsdl", host)
    root = etree.fromstring(answer.body)
    if answer.status == 200:
        assert root.tag.endswith("definitions")
        assert not set(address_in(answer)) & set("\"<>?#' \x01")
        assert b"waitress" not in answer.body


def test_proxy_headers_of_strangers_are_not_believed(shared: Service) -> None:
    """Without a setting, no proxy is known to stand before us; what a caller says of one does not count."""
    forwarded = "Host: here.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: ftp\r\nForwarded: host=evil"
    assert address_in(get(shared.port, f"{PATH}?wsdl", forwarded)) == f"http://here.example{PATH}"


def test_public_url_is_the_address_whatever_the_host(tmp_path: Path) -> None:
    """The setting wins, with the path that was asked for."""
    settings = settings_for(tmp_path, server=ServerSettings(port=0, public_url="https://sms.example.com/push/"))
    with serving(settings) as service:
        for path in (PATH, f"{PATH}.asmx"):
            answer = get(service.port, f"{path}?wsdl", "Host: elsewhere.example")
            assert address_in(answer) == f"https://sms.example.com/push{path}"


def test_the_wsdl_is_the_file_but_for_the_address(shared: Service) -> None:
    """The hand-written contract is served, not one that a library makes up."""
    served = etree.fromstring(get(shared.port, f"{PATH}?wsdl").body)
    written = etree.parse(wsdl_path("AccountEventHandler")).getroot()
    for root in (served, written):
        for address in root.iter("{http://schemas.xmlsoap.org/wsdl/soap/}address"):
            address.set("location", "")
    assert canonical(served) == canonical(written)


@pytest.mark.parametrize("target", [f"{PATH}?wsdl", PATH, "/"])
def test_head_gives_the_headers_of_get_and_no_body(shared: Service, target: str) -> None:
    """A body after HEAD would be read as the beginning of the next answer."""
    expected = get(shared.port, target)
    with Connection(shared.port) as connection:
        for _ in range(2):
            connection.send(f"HEAD {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            answer = connection.answer(with_body=False)
            assert answer.status == expected.status
            assert answer.headers["content-length"] == expected.headers["content-length"]


def test_a_browser_finds_a_page_that_says_what_this_is(shared: Service) -> None:
    """GET without ``?wsdl`` is answered by a page with a link to the WSDL."""
    answer = get(shared.port, f"{PATH}.asmx")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'href="?wsdl"' in answer.body
    assert not {"server", "via"} & answer.headers.keys()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *[(method, path) for method in ("GET", "POST") for path in ("/favicon.ico", f"{PATH}s", f"{PATH}/x", "/%00")],
        ("POST", "/"),
    ],
)
def test_elsewhere_nothing_is(shared: Service, method: str, path: str) -> None:
    """Only the two spellings of the endpoint answer SOAP; a push to another address must not look like a success."""
    answer = ask(shared.port, request(message(), start=f"{method} {path} HTTP/1.1"))
    assert (answer.status, answer.body) == (404, b"Nothing is here.\n")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "PROPFIND"])
def test_other_methods_are_refused_with_what_is_allowed(shared: Service, method: str) -> None:
    """405 names the methods that this address takes."""
    answer = ask(shared.port, request(start=f"{method} {PATH} HTTP/1.1"))
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")


def zeep_client(url: str, session: requests.Session) -> Any:
    make_transport: Callable[..., Any] = Transport
    make_client: Callable[..., Any] = zeep.Client
    return make_client(url, transport=make_transport(session=session, timeout=5, operation_timeout=5))


def test_a_zeep_client_made_from_the_served_wsdl_calls_all_four_operations(service: Service) -> None:
    """A SOAP stack that knows nothing but the WSDL's address can push everything."""
    moment = datetime(2008, 6, 12, 10, 15, 30, 120000, UTC)
    reason = {"code": 27, "description": "Off", "permanentfailure": True}
    with requests.Session() as session:
        call = zeep_client(f"http://127.0.0.1:{service.port}{PATH}?wsdl", session).service
        answers = [
            call.MessageReceived("A-1", "447700900123", "1234", " hi ", "Unicode", moment, moment, _soapheaders=HEADER),
            call.MessageEvent("A-2", "Delivered", moment, _soapheaders=HEADER),
            call.MessageError("A-3", "Failed", moment, "detail", reason, _soapheaders=HEADER),
            call.SubscriptionEvent("447700900123", "C-1", "Continue", moment, _soapheaders=HEADER),
        ]  # fmt: skip
    assert answers == [None] * 4
    wait_for(lambda: len(service.handled) == 4)
    account = "EX0012345"
    assert sorted(service.handled, key=lambda each: each.kind) == [
        MessageError(
            account=account,
            id="a-3",
            error_type=ErrorType.FAILED,
            occurred_at=moment,
            detail="detail",
            failure_reason=FailureReason(27, "Off", permanent_failure=True),
        ),
        MessageEvent(account=account, id="a-2", occurred_at=moment),
        MessageReceived(
            account=account,
            id="a-1",
            originator="447700900123",
            recipient="1234",
            body=" hi ",
            type=MessageType.UNICODE,
            sent_at=moment,
            received_at=moment,
        ),
        SubscriptionEvent(
            account=account,
            mobile_number="447700900123",
            contact_id="C-1",
            event_code=EventCode.CONTINUE,
            occurred_at=moment,
        ),
    ]


def test_a_zeep_client_reads_our_faults(shared: Service) -> None:
    """A refusal reaches the caller's code as a SOAP fault with its code and text."""
    wrong = {"MessengerHeader": HEADER["MessengerHeader"] | {"Password": "guess"}}
    with requests.Session() as session:
        call = zeep_client(f"http://127.0.0.1:{shared.port}{PATH}.asmx?wsdl", session).service
        with pytest.raises(zeep.exceptions.Fault, match=r"^Authentication failed$") as caught:
            call.MessageEvent("A-2", "Delivered", datetime.now(UTC), _soapheaders=wrong)
    assert caught.value.code.endswith(":Client")
