"""Where credentials may stand: header or fields, and HTTP Basic where those carry none, for every face."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

from soap_handler.accounts.accounts import Accounts
from soap_handler.accounts.authentication import Credentials
from soap_handler.errors import CredentialsUncheckedError
from soap_handler.faces.credentials import basic, presented
from soap_handler.settings import AccountSettings, PushCredentials
from tests.faces.xml_push.xml_service import element as xml_element
from tests.support.forms import LOGIN, form, post_form, values
from tests.support.service import serving, settings_for
from tests.support.wire import (
    OTHER_PASSWORD,
    OTHER_REFERENCE,
    OTHER_USERNAME,
    PASSWORD,
    REFERENCE,
    USERNAME,
    envelope,
    header,
    operation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.service import Service


def authorization(username: str = USERNAME, password: str = PASSWORD) -> str:
    return f"Authorization: Basic {b64encode(f'{username}:{password}'.encode()).decode()}"


RIGHT: Final = authorization()
WRONG: Final = authorization(password="guess")
ACCOUNT_ONLY: Final = header("", "")
NOTHING: Final = header("", "", "")
OCCURRED: Final = "<occurredat>2008-06-12T10:16:02Z</occurredat>"


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Service]:
    """Run a service with one account."""
    push = (PushCredentials(username=USERNAME, password=SecretStr(PASSWORD)),)
    only = (AccountSettings(reference=REFERENCE, push=push),)
    with serving(settings_for(tmp_path).model_copy(update={"account": only})) as running:
        yield running


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Basic " + b64encode(b"a:b").decode(), Credentials("a", "b", "")),
        ("basic  " + b64encode(b"a:b:c").decode() + " ", Credentials("a", "b:c", "")),
        ("BASIC " + b64encode("\u00e9:\u20ac".encode()).decode(), Credentials("\u00e9", "\u20ac", "")),
        ("Basic " + b64encode(b"\xe9:\x80").decode(), Credentials("\u00e9", "\u20ac", "")),
        ("Basic " + b64encode(b":").decode(), Credentials("", "", "")),
        ("Basic " + b64encode(b"no colon").decode(), None),
        ("Basic !!!", None),
        ("Basic \xe9", None),
        ("Basic", None),
        ("Bearer " + b64encode(b"a:b").decode(), None),
        ("", None),
    ],
)
def test_http_basic_is_read(written: str, expected: Credentials | None) -> None:
    """User name and password in UTF-8, or else windows-1252; anything else is none."""
    assert basic(written) == expected


def test_the_first_place_with_a_login_counts() -> None:
    """A login is taken whole; the account may come from another place."""
    one, two = Credentials("a", "b", ""), Credentials("c", "d", "EX1")
    assert presented(None, one, two) == Credentials("a", "b", "EX1")
    assert presented(two, one) == two
    assert presented(Credentials("", "", "EX2"), one) == Credentials("a", "b", "EX2")
    assert presented(Credentials("", "", "EX2"), None) == Credentials("", "", "EX2")
    assert presented(Credentials("", "", ""), None) is presented() is None


@pytest.mark.parametrize(("head", "status"), [(ACCOUNT_ONLY, 200), (header(), 200), (header(password="no"), 500)])
def test_basic_counts_where_the_soap_header_has_no_login(shared: Service, head: str, status: int) -> None:
    """A header that has one is not overruled."""
    assert shared.post(envelope(head=head), RIGHT).status == status


def test_wrong_basic_is_refused(shared: Service) -> None:
    """In both faces, in the words of any wrong login; right fields are not spoiled by it."""
    assert shared.post(envelope(head=ACCOUNT_ONLY), WRONG).fault == ("Client", "Authentication failed")
    assert post_form(shared.port, form(username="", password=""), WRONG).status == 403
    assert shared.post(envelope(), WRONG).status == post_form(shared.port, form(), WRONG).status == 200


def test_basic_counts_where_the_form_has_no_login(shared: Service) -> None:
    """The account is in the form, or else there must be only one."""
    assert post_form(shared.port, form(username="", password=""), RIGHT).status == 200
    assert post_form(shared.port, form(username="", password="", account=""), RIGHT).status == 403
    other = authorization(OTHER_USERNAME, OTHER_PASSWORD)
    assert post_form(shared.port, form(username="", password="", account=OTHER_REFERENCE), other).status == 200
    assert post_form(shared.port, form(username="", password=""), other).status == 403


@pytest.mark.parametrize("head", ["", NOTHING, '<MessengerHeader xmlns="com.esendex.ems.soapinterface"/>'])
def test_with_one_account_basic_is_enough(alone: Service, head: str) -> None:
    """No account need be named where there is no choice."""
    assert alone.post(envelope(head=head)).fault == ("Client", "Authentication failed")
    assert alone.post(envelope(head=head), WRONG).fault == ("Client", "Authentication failed")
    assert alone.post(envelope(head=head), RIGHT).confirms == "MessageReceived"
    bare = urlencode({name: text for name, text in values("MessageEvent").items() if name not in LOGIN})
    assert post_form(alone.port, bare.encode(), RIGHT).status == 200


def test_what_cannot_be_checked_now_is_asked_for_again(shared: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each version of the API: never as wrong, which would keep EMS from coming again."""

    def unchecked(*_: object) -> NoReturn:
        raise CredentialsUncheckedError

    monkeypatch.setattr(Accounts, "authenticate", unchecked)
    body = envelope(head=header(password="not known yet"))
    assert shared.post(body).fault == ("Server", "The credentials could not be checked; please send it again")
    assert post_form(shared.port, form(password="not known yet")).status == 503
    assert shared.post(xml_element("InboundMessage"), WRONG, "Content-Type: text/xml", path="/push").status == 503


def test_credentials_in_the_operation_are_a_version_of_the_api(shared: Service) -> None:
    """No mark and no envelope is kept, whether the header is missing, nil or empty."""
    for number, head in enumerate(("", NOTHING, header("", "", REFERENCE))):
        inner = "".join(f"<{name}>{text}</{name}>" for name, text in LOGIN.items())
        body = operation("MessageEvent", f"{inner}<id>bare-{number}</id><eventtype>Delivered</eventtype>{OCCURRED}")
        assert shared.post(envelope(body, head)).confirms == "MessageEvent"
    found = [entry for entry in shared.submitted if getattr(entry.notification, "id", "").startswith("bare-")]
    assert len(found) == 3
    assert {entry.notification.repaired for entry in found} == {()}
    assert {entry.envelope for entry in found} == {None}


def test_a_kept_envelope_is_kept_with_http_basic_too(shared: Service) -> None:
    """The password is not in it, so nothing need be masked."""
    body = operation("MessageEvent", f"<id>basic-1</id><eventtype>Delivered</eventtype>{OCCURRED}<x>&#1;</x>")
    request = envelope(body, ACCOUNT_ONLY)
    assert shared.post(request, RIGHT).confirms == "MessageEvent"
    (entry,) = (each for each in shared.submitted if getattr(each.notification, "id", "") == "basic-1")
    assert entry.envelope is not None
    assert PASSWORD.encode() not in entry.envelope
