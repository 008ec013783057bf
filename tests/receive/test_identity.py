"""Identity: what is one notification and what are two, from the bytes of the requests to the rows of the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.accounts.accounts import Accounts
from soap_handler.faces.base import Request
from soap_handler.faces.form_post.face import FormPost
from soap_handler.faces.soap.endpoint import Endpoint
from soap_handler.faces.xml_push import XmlPush
from soap_handler.fast.usual_pushes import UsualPushes
from soap_handler.journal import Entry, Journal, Selection
from soap_handler.notifications import (
    ZERO_ID,
    EventCode,
    Kind,
    MessageReceived,
    SubscriptionEvent,
    canonical_id,
    is_guid,
    stored,
)
from soap_handler.receive.receiver import Receiver
from tests.faces.xml_push.xml_service import ACCOUNT, TOKEN
from tests.faces.xml_push.xml_service import element as xml_element
from tests.support.forms import FORM_TYPE, form
from tests.support.wire import DEFAULTS, REFERENCE, elements, envelope, header, message, operation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from soap_handler.faces.base import Face

RECEIVER: Final = Receiver(Accounts([ACCOUNT]))
SOAP: Final = Endpoint(RECEIVER, read_many=UsualPushes(RECEIVER))
FORM: Final = FormPost(RECEIVER)
XML: Final = XmlPush(RECEIVER)
TYPES: Final = {SOAP: "text/xml; charset=utf-8", FORM: FORM_TYPE, XML: "application/xml"}
GUID: Final = DEFAULTS["MessageReceived"]["id"]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as opened:
        yield opened


def entry_of(body: bytes, face: Face = SOAP) -> Entry:
    """Return what a request becomes, which must be taken; the quick way says the same, or nothing."""
    request = Request(body, "127.0.0.1", TYPES[face], f"/push/{TOKEN}")
    exchange = face.prepare(request)
    assert exchange.entry is not None, exchange.answer
    quick = face.read_many([request])[0] if face.read_many is not None else None
    if quick is not None:
        assert quick.entry is not None
        assert quick.entry.notification == exchange.entry.notification
    return exchange.entry


def keys_of(*bodies: bytes, face: Face = SOAP) -> list[str]:
    return [entry_of(body, face).notification.key for body in bodies]


def subscription(code: str, time: str, name: str = "occurredAt") -> bytes:
    """Return a SubscriptionEvent whose time has another name, or another text."""
    texts = {"mobileNumber": "447700900123", "contactID": "c7", "eventCode": code, name: time}
    return envelope(operation("SubscriptionEvent", elements(texts)))


@pytest.mark.parametrize(
    "times",
    [
        ("when", ["2008-06-12T10:20:00Z", "2008-06-13T10:20:00Z", "2008-06-14T10:20:00Z"]),
        ("occurredAt", ["Thursday", "Friday", "Saturday"]),
        ("occurredOn", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0Z", "0001-01-01T00:00:00"]),
    ],
    ids=["misspelt", "unreadable", "misspelt and not set"],
)
def test_three_subscription_events_of_three_days_are_three(journal: Journal, times: tuple[str, list[str]]) -> None:
    """Subscribe, Unsubscribe and Subscribe again, whose time was not read: none is a duplicate of another."""
    name, texts = times
    codes = ("Subscribe", "Unsubscribe", "Subscribe")
    bodies = [subscription(code, text, name) for code, text in zip(codes, texts, strict=True)]
    assert journal.record_all([entry_of(body) for body in bodies]) == [True, True, True]
    assert journal.record_all([entry_of(body) for body in bodies]) == [False, False, False]


def test_the_misspelling_of_the_vendor_is_the_time_in_any_letter_case() -> None:
    """Of each event, in SOAP: the values and the key are those of the right spelling."""
    for name, right in (
        ("MessageEvent", "occurredat"),
        ("MessageError", "occurredat"),
        ("SubscriptionEvent", "occurredAt"),
    ):
        usual = entry_of(message(name)).notification
        for spelt in ("occuredat", "OccuredAt", "occuredAt", "OccurredAt", "OCCURREDAT"):
            body = message(name).replace(f"{right}>".encode(), f"{spelt}>".encode())
            assert entry_of(body).notification == usual


def test_a_subscription_event_with_something_unread_is_told_by_its_bytes() -> None:
    """It has no id: two that differ only in an element that is not known are two."""
    bodies = [message("SubscriptionEvent").replace(b"<event", f"<n>{n}</n><event".encode()) for n in range(2)]
    first, second = (entry_of(body) for body in bodies)
    assert first.notification.repaired == ("unknown element",)
    assert first.notification.key != second.notification.key
    assert first.envelope is not None


@pytest.mark.parametrize("identity", [ZERO_ID, "", f"{{{ZERO_ID}}}", "0" * 32, "no-guid"])
def test_messages_without_a_sound_id_that_differ_in_replaced_bytes_are_two(identity: str) -> None:
    """The decoder makes one text of both; their bytes are what tells them apart."""
    bodies = [message(id=identity, body="\u20ac @").replace(b"@", raw) for raw in (b"\xe2\x82", b"\xe2\x83")]
    one, two = (entry_of(body).notification for body in bodies)
    assert getattr(one, "body", "") == getattr(two, "body", None)
    assert one.key != two.key
    assert keys_of(*bodies) == [one.key, two.key]


@pytest.mark.parametrize("face", [SOAP, FORM, XML])
def test_events_that_differ_in_what_was_not_read_are_two(face: Face) -> None:
    """In each version of the API, also where id, type and time are the same."""
    usual = {
        SOAP: message("MessageError", detail="@"),
        FORM: form("MessageError", detail="@"),
        XML: xml_element("MessageFailed", Detail="@"),
    }
    bodies = [
        usual[face].replace(b"%40", b"@").replace(b"@", raw) for raw in (b"\xe2\x82\xac\xff", b"\xe2\x82\xac\xfe")
    ]
    one, two = keys_of(*bodies, face=face)
    assert one != two
    assert keys_of(*bodies, face=face) == [one, two]


def test_a_message_with_a_sound_id_stays_one_whatever_was_repaired() -> None:
    """Its GUID names it at EMS and in the inbox, so the inbox copy of it is a duplicate."""
    inbox = MessageReceived(account=REFERENCE, id=GUID, body="as the inbox has it")
    mended = entry_of(message(body="@").replace(b"@", b"&#x1B;")).notification
    assert mended.repaired == ("control character",)
    assert mended.key == inbox.key
    unread = entry_of(message().replace(b"body>", b"text>")).notification
    assert unread.repaired == ("unknown element",)
    assert unread.key == inbox.key


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<id>", f"<id>{GUID[:-1]}0</id><id>"),
        ("<id>", f'<id xmlns="urn:tenant">{GUID[:-1]}0</id><id>'),
        (f"<id>{GUID}</id>", f'<t:id xmlns:t="urn:tenant">{GUID}</t:id>'),
        (f"<id>{GUID}</id>", "<id>A-1</id><id>A-1</id>"),
    ],
    ids=["two ids", "another namespace beside ours", "another namespace alone", "no GUID"],
)
def test_an_id_in_doubt_is_no_identity(journal: Journal, old: str, new: str) -> None:
    """The bytes are, and nothing is deleted from the inbox on a guess."""
    bodies = [message(body=text).replace(old.encode(), new.encode()) for text in ("one", "two")]
    entries = [entry_of(body) for body in bodies]
    assert journal.record_all(entries) == [True, True]
    assert journal.record_all(entries) == [False, False]
    assert [stored(entry.notification)[1] for entry in entries] == [None, None]


def test_the_header_is_no_part_of_the_identity() -> None:
    """A password that changes between two pushes of a notification does not make it two, and is in no digest."""
    wsa = '<w:MessageID xmlns:w="http://www.w3.org/2005/08/addressing">urn:uuid:%d</w:MessageID>'
    body = operation("SubscriptionEvent", occurredAt="Friday")
    one, two = keys_of(envelope(body, header() + wsa % 1), envelope(body, header() + wsa % 2))
    assert one == two
    as_form = form("SubscriptionEvent", occurredAt="Friday")
    last = as_form.removeprefix(b"username=ems&") + b"&username=ems"
    assert len(set(keys_of(as_form, last, face=FORM))) == 1


@pytest.mark.parametrize(
    "spelt",
    [
        GUID,
        GUID.upper(),
        f"{{{GUID}}}",
        f"({GUID})",
        f"urn:uuid:{GUID}",
        GUID.replace("-", ""),
        f" {{{GUID.upper()}}}\n",
    ],
)
@pytest.mark.parametrize("face", [SOAP, FORM, XML])
def test_a_guid_is_one_id_in_any_spelling(face: Face, spelt: str) -> None:
    """So a push and the inbox copy of a message are one notification, however each writes its id."""
    bodies = {SOAP: message(id=spelt), FORM: form(id=spelt), XML: xml_element("InboundMessage", MessageId=spelt)}
    found = entry_of(bodies[face], face).notification
    assert isinstance(found, MessageReceived)
    assert found.id == GUID
    assert found.repaired == ()
    assert found.key == MessageReceived(account=REFERENCE, id=GUID).key


@pytest.mark.parametrize("text", ["", "A-1", "{8d1b2a3c}", f"{GUID}0", GUID.replace("8d", "zz"), "\u0660" * 32])
def test_what_is_no_guid_is_only_lowered(text: str) -> None:
    """No other text is taken for one."""
    assert canonical_id(text) == text.lower()
    assert not is_guid(canonical_id(text))
    assert not is_guid(ZERO_ID)
    assert is_guid(GUID)


@pytest.mark.parametrize("kind", Kind)
def test_usual_pushes_have_the_keys_that_they_always_had(kind: Kind) -> None:
    """What is in the journal since before is still recognised."""
    known = {
        Kind.MESSAGE_RECEIVED: f"EX0012345/MessageReceived/{GUID}",
        Kind.MESSAGE_EVENT: f"EX0012345/MessageEvent/{DEFAULTS['MessageEvent']['id']}/Delivered/2008-06-12T10:16:02Z",
        Kind.MESSAGE_ERROR: f"EX0012345/MessageError/{DEFAULTS['MessageError']['id']}/Failed/2008-06-13T10:16:02Z",
        Kind.SUBSCRIPTION_EVENT: "EX0012345/SubscriptionEvent/a8418b701a97959650c37005f218d4e5",
    }
    assert keys_of(message(kind.value)) == [known[kind]]


def test_an_event_without_repairs_is_one_in_two_versions() -> None:
    """SOAP and a form of the same event: one row."""
    when = {"occurredat": "2014-08-02T16:28:42Z"}
    texts = {"id": "1f0a7f6e-0c57-4b8e-9a57-5d7c2f1f8f10", "eventtype": "Delivered"}
    assert keys_of(message("MessageEvent", **texts, **when)) == keys_of(form("MessageEvent"), face=FORM)


def test_values_that_were_read_in_full_need_no_bytes() -> None:
    """A SubscriptionEvent in SOAP and in a form: its content is its identity, and no digest of bytes is kept."""
    pushed = entry_of(message("SubscriptionEvent")).notification
    assert isinstance(pushed, SubscriptionEvent)
    assert (pushed.digest, pushed.event_code) == ("", EventCode.SUBSCRIBE)


def test_a_selection_takes_an_id_in_any_spelling(journal: Journal) -> None:
    """As the commands are given it."""
    journal.record(entry_of(message()))
    for spelt in (GUID, GUID.upper(), f"{{{GUID}}}", GUID.replace("-", "")):
        assert len(journal.records(Selection(message_id=spelt))) == 1
    assert journal.records(Selection(message_id=GUID[:-1] + "0")) == []
