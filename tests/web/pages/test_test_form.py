"""The test form: what it sends reaches the handlers; who is shown it; nothing that was typed in does harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.contract import OPERATIONS
from soap_handler.journal import Selection
from soap_handler.notifications import MessageReceived
from soap_handler.settings import ServerSettings
from soap_handler.web.pages.test_form import is_local
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import PASSWORD, PATH, REFERENCE, USERNAME
from tests.web.pages.reading import filled_in, get, page_in, read, send_form, texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOGIN = {"username": USERNAME, "password": PASSWORD, "account": REFERENCE}
NAMES = [kind.value for kind in OPERATIONS]
HIDDEN = b"only shown to browsers on the machine"


def form_of(service: Service, name: str = "MessageReceived", **values: str) -> dict[str, str]:
    return filled_in(read(service.port, f"{PATH}?op={name}"), **{**LOGIN, **values})


@pytest.mark.parametrize("name", NAMES)
def test_the_form_sends_a_notification_of_each_kind(service: Service, name: str) -> None:
    """In every version that the form offers: it is journaled, handled, and the answer is shown."""
    page = read(service.port, f"{PATH}?op={name}")
    versions = texts(page, "//select[@name='version']/option/@value")
    assert "soap11" in versions
    for known, version in enumerate(versions):
        number = {"mobile_number": f"44770090012{known}"} if name == "SubscriptionEvent" else {}  # it has no id
        answer = send_form(service.port, form_of(service, name, version=version, **number))
        shown = page_in(answer)
        assert texts(shown, "//p[@role='status']"), texts(shown, "//pre")
        assert "200 OK" in texts(shown, "//pre")[0]
        wait_for(lambda known=known: len(service.handled) > known)  # type: ignore[misc] # the loop's value
        assert service.handled[-1].kind.value == name
    assert len(list(service.app.journal.records(Selection()))) == len(versions)


def test_each_view_of_the_form_has_a_new_id(shared: Service) -> None:
    """Otherwise the second test would be a duplicate of the first."""
    assert form_of(shared)["id"] != form_of(shared)["id"]


def test_values_arrive_as_typed_in(service: Service) -> None:
    """With line ends as phones send them, and characters that XML cannot hold."""
    body = " <b>&amp; \x1b 👍\r\n "
    send_form(service.port, form_of(service, body=body, id="8D1B2A3C-4C7F-4A55-9D1E-0D8A2F3B4C5D"))
    wait_for(lambda: service.handled)
    (taken,) = service.handled
    assert isinstance(taken, MessageReceived)
    assert (taken.body, taken.id) == (" <b>&amp; \x1b 👍\n ", "8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5d")


def test_a_wrong_password_is_refused_and_the_page_shows_the_fault(service: Service) -> None:
    """The form is no way round the login: it goes the way of every push."""
    answer = send_form(service.port, form_of(service, password="guess"))
    page = page_in(answer)
    assert texts(page, "//p[@role='alert']")
    assert "Authentication failed" in texts(page, "//pre")[1]
    assert not list(service.app.journal.records(Selection()))


@pytest.mark.parametrize("password", [PASSWORD, "guess-me"])
def test_no_password_is_shown(service: Service, password: str) -> None:
    """The request on the page has it masked, in each version."""
    for version in texts(read(service.port, f"{PATH}?op=MessageEvent"), "//select[@name='version']/option/@value"):
        answer = send_form(service.port, form_of(service, "MessageEvent", version=version, password=password))
        assert password.encode() not in answer.body
        assert answer.headers["cache-control"] == "no-store"


def test_what_was_typed_in_is_text_on_the_page(service: Service) -> None:
    """Every field may be hostile."""
    hostile = "<script>alert(1)</script>\"'><img src=x>"
    form = {name: hostile for name in form_of(service) if name not in {"version", "operation"}}
    answer = send_form(service.port, {**form, "version": "soap11", "operation": "MessageReceived"})
    assert b"<script" not in answer.body
    assert b"<img" not in answer.body


@pytest.mark.parametrize(
    "form", [{}, {"operation": "MessageEvent"}, {"operation": "x", "version": "soap11"}, {"version": "soap11"}]
)
def test_what_is_no_such_form_is_refused(shared: Service, form: dict[str, str]) -> None:
    """With a page, and nothing is sent."""
    assert send_form(shared.port, form).status == 400


def test_a_huge_form_is_refused(shared: Service) -> None:
    """What is typed in by hand is small."""
    assert send_form(shared.port, form_of(shared, body="x" * 70_000)).status == 400


def test_a_form_of_another_site_is_refused(shared: Service) -> None:
    """A browser says which site's page sends a form."""
    form = form_of(shared)
    assert send_form(shared.port, form, "Sec-Fetch-Site: cross-site").status == 403
    assert send_form(shared.port, form, "Sec-Fetch-Site: same-origin").status == 200


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        (["X-Forwarded-For: 127.0.0.1"], "127.0.0.1"),
        (["Forwarded: for=127.0.0.1"], "localhost"),
        (["Via: 1.1 proxy"], "localhost:8080"),
        ([], "sms.example.com"),
        ([], "localhost.example.com"),
        ([], "127.0.0.1.example.com"),
    ],
)
def test_what_may_come_from_elsewhere_gets_no_form(shared: Service, headers: list[str], host: str) -> None:
    """A proxy on this machine makes each caller look local; so does a name that resolves to it."""
    assert HIDDEN in get(shared.port, f"{PATH}?op=MessageEvent", *headers, host=host).body
    assert send_form(shared.port, form_of(shared), *headers, host=host).status == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.1.2.3", "[::1]:8080"])
def test_a_browser_on_this_machine_gets_the_form(shared: Service, host: str) -> None:
    """By whatever name it calls it."""
    assert b"<form" in get(shared.port, f"{PATH}?op=MessageEvent", host=host).body


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "", "nonsense"])
def test_another_address_is_not_local(address: str) -> None:
    """Nor is one that cannot be read."""
    assert not is_local({"REMOTE_ADDR": address, "HTTP_HOST": "localhost"})
    assert is_local({"REMOTE_ADDR": "::1", "HTTP_HOST": "localhost"})


@pytest.fixture
def open_to_all(tmp_path: Path) -> Iterator[Service]:
    with serving(settings_for(tmp_path, server=ServerSettings(port=0, test_form="everywhere"))) as running:
        yield running


def test_everywhere_shows_the_form_to_each_caller(open_to_all: Service) -> None:
    """Behind a proxy too."""
    assert b"<form" in get(open_to_all.port, f"{PATH}?op=MessageEvent", "Via: x", host="sms.example.com").body
    assert send_form(open_to_all.port, form_of(open_to_all), host="sms.example.com").status == 200


def test_off_shows_it_to_none(tmp_path: Path) -> None:
    """Not even a sentence about it."""
    with serving(settings_for(tmp_path, server=ServerSettings(port=0, test_form="off"))) as service:
        page = get(service.port, f"{PATH}?op=MessageEvent").body
        assert b"<form" not in page
        assert b"Test" not in page
        assert send_form(service.port, LOGIN).status == 403


@pytest.mark.parametrize(
    ("path", "action"),
    [
        (f"{PATH}.asmx", "AccountEventHandler/test"),
        (f"{PATH}/", "../AccountEventHandler/test"),
        (f"/Services{PATH}.asmx//", "../../AccountEventHandler/test"),
        ("/Services/push/a/b", "../../AccountEventHandler/test"),
    ],
)
def test_the_form_is_posted_to_this_service_whatever_the_address(tmp_path: Path, path: str, action: str) -> None:
    """The link is relative: a proxy may add or remove a prefix."""
    with serving(settings_for(tmp_path, server=ServerSettings(port=0, path_prefix="/Services"))) as service:
        assert texts(read(service.port, f"{path}?op=MessageEvent"), "//form/@action") == [action]
