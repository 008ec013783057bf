"""What a form's bytes become: names, kinds, charsets, and the marks of what was not understood."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus, urlencode
from zoneinfo import ZoneInfo

import pytest

from soap_handler.accounts.authentication import Credentials
from soap_handler.errors import FormError
from soap_handler.faces.form_post.form import read_form
from soap_handler.notifications import (
    ErrorType,
    EventCode,
    EventType,
    Kind,
    MessageError,
    MessageEvent,
    MessageReceived,
    MessageType,
    SubscriptionEvent,
)
from soap_handler.receive.receiver import read_notification
from tests.support.forms import FORMS, form, values
from tests.support.wire import NUMBER, PASSWORD, REFERENCE, USERNAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.notifications import Notification

MOMENT: Final = datetime(2014, 8, 2, 16, 28, 42, tzinfo=UTC)
EXPECTED: Final[dict[str, Notification]] = {
    "MessageReceived": MessageReceived(
        account=REFERENCE,
        id="c9b1ed7b-2ad2-4b45-85cf-63f430aab76a",
        originator="447700900123",
        recipient=NUMBER,
        body="Test & t\u00e9st",
        type=MessageType.TEXT,
        sent_at=MOMENT,
        received_at=MOMENT.replace(second=43),
    ),
    "MessageEvent": MessageEvent(
        account=REFERENCE,
        id="1f0a7f6e-0c57-4b8e-9a57-5d7c2f1f8f10",
        event_type=EventType.DELIVERED,
        occurred_at=MOMENT,
    ),
    "MessageError": MessageError(
        account=REFERENCE,
        id="5b9f5a51-6b4c-4b0f-8a3a-0a9d8f7e6c55",
        error_type=ErrorType.VALIDITY_PERIOD_EXPIRED,
        occurred_at=MOMENT,
        detail="It expired",
    ),
    "SubscriptionEvent": SubscriptionEvent(
        account=REFERENCE, mobile_number="447700900123", event_code=EventCode.UNSUBSCRIBE, occurred_at=MOMENT
    ),
}


def notification(body: bytes, charset: str | None = None) -> Notification:
    """Return what a form becomes."""
    read = read_form(body, charset)
    return read_notification(
        read.kind, read.fields, account=REFERENCE, zone=ZoneInfo("Europe/London"), repaired=read.repaired
    )


def received(body: bytes, charset: str | None = None) -> MessageReceived:
    found = notification(body, charset)
    assert isinstance(found, MessageReceived)
    return found


def respelled(name: str, change: str) -> bytes:
    """Return a form whose names are all spelled in another way."""
    spellings: dict[str, Callable[[str], str]] = {
        "lower": str.lower,
        "upper": str.upper,
        "prefix": lambda field: f"Esendex{field}",
        "prefix in capitals": lambda field: f"ESENDEX{field.upper()}",
        "spaces": lambda field: f" {field} ",
    }
    spell = spellings[change]
    return urlencode({spell(field): text for field, text in values(name).items()}).encode()


@pytest.mark.parametrize("name", EXPECTED)
def test_each_kind_becomes_its_notification(name: str) -> None:
    """``eventType`` of a SubscriptionEvent is its event code; the error has no failure reason."""
    assert notification(form(name)) == EXPECTED[name]
    assert read_form(form(name)).credentials == Credentials(USERNAME, PASSWORD, REFERENCE)


@pytest.mark.parametrize("change", ["lower", "upper", "prefix", "prefix in capitals", "spaces"])
@pytest.mark.parametrize("name", EXPECTED)
def test_letter_case_and_prefix_of_a_name_do_not_count(name: str, change: str) -> None:
    """All of the vendor's spellings mean the same, and none is a repair."""
    body = respelled(name, change)
    assert notification(body) == EXPECTED[name]
    assert read_form(body).credentials == Credentials(USERNAME, PASSWORD, REFERENCE)


@pytest.mark.parametrize("written", ["messagereceived", "MESSAGERECEIVED", " MessageReceived\n"])
def test_letter_case_of_the_notification_type_does_not_count(written: str) -> None:
    """It is a name too."""
    assert notification(form(notificationType=written)) == EXPECTED["MessageReceived"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "is empty"),
        (b" \r\n", "is empty"),
        (b"&&&", "is empty"),
        (b"hello", "has no notificationType"),
        (urlencode(FORMS["MessageEvent"]).encode(), "has no notificationType"),
        (form(notificationType=""), "has no notificationType"),
        (form(notificationType=" "), "has no notificationType"),
        (form(notificationType="Message"), "not one of"),
        (form() + b"&a=b" * 100, "more than 100 fields"),
        (b"\xef\xbb\xbf<a/>", "is XML; expected a form"),
        ("<a/>".encode("utf-16"), "is XML; expected a form"),
        (b"\n<?xml version='1.0'?>" + b"&" * 200, "is XML; expected a form"),
    ],
)
def test_what_is_not_understood_is_refused_in_words(body: bytes, words: str) -> None:
    """The text is for the customer's technical contact: it says what was expected."""
    with pytest.raises(FormError, match=words):
        read_form(body)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b"a+b", "a b"),
        (b"a%2Bb", "a+b"),
        (b"100%25", "100%"),
        (b"100%", "100%"),
        (b"%zz%4", "%zz%4"),
        (b"a=b", "a=b"),
        (b"%26%3D%3B;", "&=;;"),
        (b"%F0%9F%98%80", "\U0001f600"),
        (b"%E2%82%AC", "\u20ac"),
        (b"+%20two++", "  two  "),
        (b"one%0D%0Atwo", "one\r\ntwo"),
        (b"%00%0C%1B", "\0\x0c\x1b"),
        (b"", ""),
        (b"&#8364;".replace(b"&", b"%26"), "&#8364;"),
    ],
)
def test_texts_are_decoded_as_forms_are(written: bytes, text: str) -> None:
    """Plus, percent, and what only looks like either; white space is significant."""
    assert received(form(body="X").replace(b"body=X", b"body=" + written)).body == text


def test_one_field_that_is_utf_8_by_accident_is_outvoted_by_the_others() -> None:
    """The charset is found by all fields together: a sharp s before a quotation mark is a valid sequence too."""
    found = received(
        form(body="X", originator="Y").replace(b"body=X", b"body=Spa\xdf\x93").replace(b"=Y", b"=J\xf6rg M\xfcller")
    )
    assert (found.body, found.originator) == ("Spa\u00df\u201c", "J\u00f6rg M\u00fcller")
    assert found.repaired == ("encoding",)


@pytest.mark.parametrize(
    ("written", "charset", "text", "marks"),
    [
        (b"Jos%C3%A9", "utf-8", "Jos\u00e9", ()),
        (b"Jos\xc3\xa9", "UTF-8", "Jos\u00e9", ()),
        (b"Jos\xc3\xa9", None, "Jos\u00e9", ()),
        (b"Jos%E9", "iso-8859-1", "Jos\u00e9", ()),
        (b"Jos\xe9", "ISO-8859-1", "Jos\u00e9", ()),
        (b"%805", "windows-1252", "\u20ac5", ()),
        (b"%93%FA", "shift_jis", "\u65e5", ()),
        (b"Jos%E9+%805", None, "Jos\u00e9 \u20ac5", ("encoding",)),
        (b"Jos\xe9", "utf-8", "Jos\u00e9", ("encoding",)),
        (b"Jos\xe9", "x-odd", "Jos\u00e9", ("charset", "encoding")),
        (b"%ED%A0%BD%ED%B8%80", "utf-8", "\U0001f600", ("surrogate pair",)),
        (b"%E2%82%AC+%E2%82", "utf-8", "\u20ac \ufffd\ufffd", ("encoding",)),
    ],
)
def test_the_charset_is_the_headers_or_else_found_by_the_bytes(
    written: bytes, charset: str | None, text: str, marks: tuple[str, ...]
) -> None:
    """The header's, else UTF-8, else windows-1252; what was guessed at is marked."""
    found = received(form(body="X").replace(b"body=X", b"body=" + written), charset)
    assert found.body == text
    assert found.repaired == marks


def test_a_byte_order_mark_and_a_line_end_around_a_form_are_no_part_of_it() -> None:
    """Some senders write a file; no text of a field grows by that."""
    fields = values()
    last = {"body": fields.pop("body")}
    body = b"\xef\xbb\xbf" + urlencode(fields | last).encode() + b"\r\n"
    assert received(body) == EXPECTED["MessageReceived"]
    assert read_form(body).credentials == Credentials(USERNAME, PASSWORD, REFERENCE)


@pytest.mark.parametrize("body", [form(sentAt=""), form().replace(b"&sentAt=2014-08-02+16%3A28%3A42Z", b"")])
def test_sent_at_may_be_missing(body: bytes) -> None:
    """So says the contract: it is none, and nothing was repaired."""
    found = received(body)
    assert (found.sent_at, found.original, found.repaired) == (None, {}, ())
    assert found.received_at == MOMENT.replace(second=43)


def test_a_missing_value_is_marked() -> None:
    """As in every version: a time or an enumeration that should be there."""
    body = urlencode({"username": "ems", "notificationType": "MessageEvent", "id": "A-1"}).encode()
    found = notification(body)
    assert isinstance(found, MessageEvent)
    assert (found.id, found.event_type, found.occurred_at) == ("a-1", "", None)
    assert found.repaired == ("event_type missing", "occurred_at missing")


def test_a_time_that_cannot_be_read_is_kept() -> None:
    """As its text, with a mark."""
    found = received(form(receivedAt="02/08/2014 16:28"))
    assert (found.received_at, found.original, found.repaired) == (
        None,
        {"received_at": "02/08/2014 16:28"},
        ("received_at unreadable",),
    )


def test_a_time_without_a_zone_is_in_the_accounts() -> None:
    """The form has Z, and a sender may leave it out."""
    found = received(form(receivedAt="2014-08-02 17:28:43"))
    assert found.received_at == MOMENT.replace(second=43)
    assert found.original == {"received_at": "2014-08-02 17:28:43"}


def test_an_unknown_field_beside_a_missing_one_is_marked() -> None:
    """It may be what the missing one was to say; beside nothing missing it is only more than was expected."""
    assert received(form(clientReference="7", submit="Send")).repaired == ()
    found = received(form().replace(b"originator=", b"sender="))
    assert (found.originator, found.repaired) == ("", ("unknown field",))


def test_a_repeated_field_is_marked_where_it_says_something_else() -> None:
    """The first counts; the form that is kept has both."""
    assert received(form() + b"&type=Text").repaired == ()
    found = received(form() + b"&Body=another")
    assert (found.body, found.repaired) == ("Test & t\u00e9st", ("repeated field",))


def test_the_misspelling_of_the_vendors_pages_is_known() -> None:
    """``occuredAt`` may come, and the right spelling counts before it."""
    body = form("MessageEvent").replace(b"occurredAt", b"occuredAt")
    assert notification(body) == EXPECTED["MessageEvent"]
    assert notification(body + b"&occurredAt=2020-01-01+00%3A00%3A00Z").key != EXPECTED["MessageEvent"].key


def test_unknown_values_are_kept() -> None:
    """A new event is its text, as in SOAP."""
    found = notification(form("MessageEvent", eventType="Read"))
    assert isinstance(found, MessageEvent)
    assert (found.event_type, found.repaired) == ("Read", ())


@pytest.mark.parametrize("kind", Kind)
def test_a_form_without_credentials_has_none(kind: Kind) -> None:
    """They may be in another place."""
    body = urlencode({"notificationType": kind.value, **FORMS[kind.value]}).encode()
    assert read_form(body).credentials is None
    assert read_form(body + b"&username=" + quote_plus("\u00e9").encode()).credentials == Credentials("\u00e9", "", "")
