"""Form posts through the whole service: the contract's sample, the addresses, and the answers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.faces.base import Request
from soap_handler.faces.form_post.face import FormPost
from soap_handler.notifications import MessageReceived, MessageType
from tests.corpus import SAMPLES
from tests.support.forms import FORM_PATH, FORM_TYPE, FORMS, form, post_form
from tests.support.service import serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import PASSWORD, REFERENCE, ask, header, message, post

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Service
    from tests.support.wire import Answer

SAMPLE: Final = (SAMPLES / "MessageReceived.form").read_bytes()
ADDRESSES: Final = ("/AccountEventHandler.aspx", "/accounteventhandler.ASPX", "/AccountEventHandler")
OTHER_ADDRESS: Final = "/AccountEventHandler.asmx"
TYPES: Final = (FORM_TYPE, "Application/X-WWW-Form-Urlencoded; charset=UTF-8", f"{FORM_TYPE};charset=iso-8859-1")


def assert_in_form(answer: Answer, *statuses: int) -> None:
    """Check that an answer is in the form face's form: short plain text that tells nothing of people or insides."""
    assert answer.status in statuses, answer
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    text = answer.body.decode()
    assert 2 <= len(text) < 120
    told = text.lower()
    assert [word for word in (PASSWORD, REFERENCE, "447700", "traceback", ".py", "errno") if word.lower() in told] == []


def test_the_sample_reaches_the_handler(service: Service) -> None:
    """Byte for byte, twice, and then as SOAP pushes the same message: it is handled once."""
    for _ in range(2):
        answer = post_form(service.port, SAMPLE)
        assert_in_form(answer, 200)
        assert answer.body == b"OK"
    soap = message(id="C9B1ED7B-2AD2-4B45-85CF-63F430AAB76A", body="the same one")
    login = "".join(f"<{name}>{text}</{name}>" for name, text in (("username", "ems"), ("password", "s3cret")))
    bare = soap.replace(header().encode(), b"").replace(b"<id>", f"{login}<account>{REFERENCE}</account><id>".encode())
    assert service.post(soap).confirms == service.post(bare).confirms == "MessageReceived"
    wait_for(lambda: service.handled)
    service.stop()
    assert service.handled == [
        MessageReceived(
            account="EX0012345",
            id="c9b1ed7b-2ad2-4b45-85cf-63f430aab76a",
            originator="447700900123",
            recipient="447786204254",
            body="Test & t\u00e9st",
            type=MessageType.TEXT,
            sent_at=datetime(2014, 8, 2, 16, 28, 42, tzinfo=UTC),
            received_at=datetime(2014, 8, 2, 16, 28, 42, tzinfo=UTC),
        )
    ]


def test_a_form_may_come_first_and_soap_after(service: Service) -> None:
    """And the other way round: the first decides the values, and the key is the same."""
    identity = "8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5d"
    assert service.post(message(id=identity, body="first")).confirms
    assert_in_form(post_form(service.port, form(id=identity.upper(), body="second")), 200)
    wait_for(lambda: service.handled)
    service.stop()
    assert [getattr(each, "body", "") for each in service.handled] == ["first"]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("path", [*ADDRESSES, OTHER_ADDRESS])
def test_a_form_is_taken_at_every_address(shared: Service, path: str, content_type: str, name: str) -> None:
    """At its own by its path, at SOAP's by its Content-Type."""
    assert_in_form(post_form(shared.port, form(name), path=path, content_type=content_type), 200)


@pytest.mark.parametrize("content_type", ["text/xml; charset=utf-8", "text/plain", "", None])
def test_at_its_own_address_the_content_type_may_be_wrong(shared: Service, content_type: str | None) -> None:
    """The path says what it is."""
    assert_in_form(post_form(shared.port, form(), content_type=content_type), 200)


def test_an_envelope_that_is_called_a_form_is_still_soap(shared: Service) -> None:
    """``curl -d`` says so of anything: at a SOAP address it is read as SOAP, as ever."""
    for body in (message(), b"\xef\xbb\xbf" + message(), message().decode().encode("utf-16")):
        answer = post(shared.port, body, f"Content-Type: {FORM_TYPE}")
        assert answer.confirms == "MessageReceived"


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"password": "guess"}, 403, "Authentication failed"),
        ({"username": "", "password": ""}, 403, "Authentication failed"),
        ({"account": "EX0099999"}, 403, "Authentication failed"),
        ({"notificationType": ""}, 400, "The form has no notificationType"),
        ({"notificationType": "Message"}, 400, "The notificationType is not one of the Account Event Handler"),
    ],
)
def test_what_is_refused_is_refused_in_plain_words(
    shared: Service, changed: dict[str, str], status: int, words: str
) -> None:
    """403 for the credentials, 400 for what is not understood; nothing is stored."""
    before = sum(shared.app.journal.counts().values())
    for path in (FORM_PATH, OTHER_ADDRESS):
        answer = post_form(shared.port, form(id="refused", **changed), path=path)
        assert_in_form(answer, status)
        assert answer.body.decode() == words
    assert sum(shared.app.journal.counts().values()) == before


@pytest.mark.parametrize("path", [FORM_PATH, OTHER_ADDRESS])
def test_a_form_of_a_mebibyte_is_refused(shared: Service, path: str) -> None:
    """In the form's own form, whichever the address."""
    answer = post_form(shared.port, form(body="x" * 2**20), path=path)
    assert_in_form(answer, 400)
    assert b"larger than" in answer.body or b"refused" in answer.body


def test_a_large_form_within_the_limit_is_taken(shared: Service) -> None:
    """A text of any length that the limit of a request allows."""
    assert_in_form(post_form(shared.port, form(id="large", body="\u20ac" * 20_000)), 200)


def test_what_is_not_stored_is_asked_for_again(tmp_path: Path) -> None:
    """503: EMS keeps the notification and pushes it later."""
    with serving(settings_for(tmp_path, commit_within=0.3)) as service:
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for path in (FORM_PATH, OTHER_ADDRESS):
                answer = post_form(service.port, SAMPLE, path=path)
                assert_in_form(answer, 503)
                assert answer.body == b"The notification could not be stored; please send it again"
        wait_for(lambda: post_form(service.port, SAMPLE).status == 200)  # the 0.3 s hold for this push too


def test_what_was_not_understood_is_kept(service: Service) -> None:
    """The whole form, password masked, is with the notification."""
    body = form().replace(b"originator=", b"sender=")
    assert_in_form(post_form(service.port, body), 200)
    (entry,) = service.submitted
    assert entry.notification.repaired == ("unknown field",)
    assert entry.envelope == body.replace(b"password=s3cret", b"password=***")


def test_a_get_says_what_the_address_is(shared: Service) -> None:
    """For a person who opens it in a browser."""
    answer = ask(shared.port, f"GET {FORM_PATH} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert answer.status == 200
    assert b"Account Event Handler" in answer.body


def test_a_defect_is_told_to_the_log_and_not_to_the_caller() -> None:
    """500 in few words; EMS pushes again."""
    face = FormPost(None)  # type: ignore[arg-type] # it breaks over any request
    exchange = face.prepare(Request(form(), "127.0.0.1", FORM_TYPE))
    assert exchange.entry is None
    assert exchange.answer.status == "500 Internal Server Error"
    assert exchange.answer.body == b"Internal error; please send it again"
