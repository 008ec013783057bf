"""What each element of XML push becomes, and what becomes of departures from the vendor's form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from soap_handler.notifications import (
    ErrorType,
    EventCode,
    EventType,
    FailureReason,
    MessageError,
    MessageEvent,
    MessageReceived,
    MessageType,
    SubscriptionEvent,
)
from tests.faces.xml_push.xml_service import MESSAGE_ID, NOTIFICATION_ID, basic, element
from tests.support.wire import REFERENCE

if TYPE_CHECKING:
    from soap_handler.notifications import Notification
    from tests.faces.xml_push.conftest import XmlService

WHEN = datetime(2014, 8, 2, 16, 28, 42, tzinfo=UTC)
EXPECTED: dict[str, Notification] = {
    "InboundMessage": MessageReceived(
        account=REFERENCE,
        id=MESSAGE_ID,
        originator="447700900123",
        recipient="447786204254",
        body="Yes please",
        type=MessageType(""),
        notification_id=NOTIFICATION_ID,
    ),
    "MessageDelivered": MessageEvent(
        account=REFERENCE,
        id=MESSAGE_ID,
        event_type=EventType.DELIVERED,
        occurred_at=WHEN,
        notification_id=NOTIFICATION_ID,
    ),
    "MessageFailed": MessageError(
        account=REFERENCE,
        id=MESSAGE_ID,
        error_type=ErrorType.FAILED,
        occurred_at=WHEN,
        failure_reason=FailureReason(27, "Off", permanent_failure=False),
        notification_id=NOTIFICATION_ID,
    ),
    "OptOut": SubscriptionEvent(
        account=REFERENCE,
        mobile_number="447700900123",
        event_code=EventCode.UNSUBSCRIBE,
        occurred_at=WHEN.replace(microsecond=123000),
        notification_id=NOTIFICATION_ID,
    ),
    "SubscriptionEvent": SubscriptionEvent(
        account=REFERENCE,
        mobile_number="447700900123",
        contact_id="c7",
        event_code=EventCode.RESUBSCRIBE,
        occurred_at=WHEN,
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_element_becomes_its_notification(xml: XmlService, name: str) -> None:
    """Times are in UTC whatever the account's zone, absent fields are empty, and nothing counts as repaired."""
    assert xml.take(element(name)) == EXPECTED[name]


def test_the_key_is_that_of_the_same_message_by_any_other_way(xml: XmlService) -> None:
    """Ids count in small letters, and the notification's own id does not."""
    other_way = MessageReceived(account=REFERENCE, id=MESSAGE_ID, body="as the inbox has it")
    taken = xml.take(element("InboundMessage", MessageId=MESSAGE_ID.upper()))
    assert taken.key == other_way.key
    delivered = MessageEvent(account=REFERENCE, id=MESSAGE_ID, occurred_at=WHEN)
    assert xml.take(element("MessageDelivered")).key == delivered.key


def test_what_is_sent_twice_is_stored_once(xml: XmlService) -> None:
    """EMS pushes again where the answer was lost."""
    for name in [*EXPECTED, *EXPECTED]:
        assert xml.post(element(name)).status == "200 OK"
    assert len(xml.stored()) == len(EXPECTED)


@pytest.mark.parametrize("path", ["InboundMessage", "delivered", "optout/x"])
def test_the_root_decides_and_not_the_address(xml: XmlService, path: str) -> None:
    """Any kind is taken at any of the face's addresses."""
    taken = xml.take(element("MessageFailed"), f"/push/{path}", basic())
    assert isinstance(taken, MessageError)


@pytest.mark.parametrize(
    ("text", "when", "kept"),
    [
        ("2014-08-02T16:28:42Z", WHEN, None),
        ("2014-08-02T17:28:42+01:00", WHEN, None),
        ("2014-08-02 16:28:42", WHEN, None),
        ("2014-08-02T16:28:42.1234567", WHEN.replace(microsecond=123456), "2014-08-02T16:28:42.1234567Z"),
        ("2014-08-02T16:28", WHEN.replace(second=0), "2014-08-02T16:28Z"),
        ("2014-08-02T16:28:42,5", WHEN.replace(microsecond=500_000), None),
        ("0001-01-01T00:00:00", None, None),
        ("yesterday", None, "yesterday"),
    ],
)
def test_times(xml: XmlService, text: str, when: datetime | None, kept: str | None) -> None:
    """A time without a zone is UTC, which is no guess; one with a zone is in that; what is no time is kept as text."""
    taken = xml.take(element("MessageDelivered", OccurredAt=text))
    assert isinstance(taken, MessageEvent)
    assert taken.occurred_at == when
    assert taken.original.get("occurred_at") == kept
    assert taken.repaired == (("occurred_at unreadable",) if text == "yesterday" else ())


@pytest.mark.parametrize(
    ("old", "new", "mark"),
    [
        ("<InboundMessage>", '<InboundMessage xmlns="urn:x">', "namespace"),
        ("<InboundMessage>", '<InboundMessage version="2">', "attribute"),
        ("<From>", "<Extra>1</Extra><From>", "unknown element"),
        ("<From>", "between<From>", "text between elements"),
        ("</From>", "</From><From>other</From>", "repeated element"),
        ("Yes please", "Yes <b>please</b>", "markup in a value"),
        ("MessageText>", "messagetext>", "spelling"),
        ("InboundMessage>", "inboundmessage>", "spelling"),
    ],
)
def test_a_departure_is_taken_and_marked_and_the_request_is_kept(
    xml: XmlService, old: str, new: str, mark: str
) -> None:
    """What was understood is stored as values, and what was not is in the request, which is kept as it came."""
    body = element("InboundMessage").replace(old.encode(), new.encode())
    taken = xml.take(body)
    assert isinstance(taken, MessageReceived)
    assert (taken.id, taken.originator, taken.body) == (MESSAGE_ID, "447700900123", "Yes please")
    assert taken.repaired == (mark,)
    assert xml.kept() == body


@pytest.mark.parametrize("reference", ["&#x1B;", "\x1b", "&#xC;"])
def test_control_characters_are_repaired_as_in_soap(xml: XmlService, reference: str) -> None:
    """.NET writes them as references, which a strict parser refuses."""
    taken = xml.take(element("InboundMessage").replace(b"please", f"a{reference}b".encode()))
    assert isinstance(taken, MessageReceived)
    assert taken.body in {"Yes a\x1bb", "Yes a\x0cb"}
    assert taken.repaired == ("control character",)


def test_two_notifications_without_ids_are_two_unless_they_are_the_same(xml: XmlService) -> None:
    """Where something was left unread, the whole request tells them apart."""
    for text in ("one", "two", "two"):
        body = element("InboundMessage", Id=None, MessageId=None, MessageText=None, Text=text)
        assert xml.post(body).status == "200 OK"
    assert len(xml.stored()) == 2


def test_two_messages_without_an_id_of_their_own_are_told_apart_by_the_notifications_id(xml: XmlService) -> None:
    """``Id`` names the notification, and the same answer may come twice from one phone."""
    for number in "112":
        xml.post(element("InboundMessage", Id=NOTIFICATION_ID[:-1] + number, MessageId=None))
    assert [each.repaired for each in xml.stored()] == [("id missing",)] * 2


def test_a_failure_without_a_reason(xml: XmlService) -> None:
    """It is ``None``, and so is what a reason says nothing readable of."""
    taken = xml.take(element("MessageFailed", FailureReason=None))
    assert isinstance(taken, MessageError)
    assert (taken.failure_reason, taken.repaired) == (None, ())
    taken = xml.take(element("MessageFailed", MessageId=NOTIFICATION_ID, FailureReason="<Code>x</Code>"))
    assert isinstance(taken, MessageError)
    assert taken.failure_reason == FailureReason()
    assert taken.original == {"code": "x"}
    assert taken.repaired == ("code unreadable", "permanent_failure missing")


def test_both_spellings_of_received_at(xml: XmlService) -> None:
    """The vendor's page misspells it, so the right spelling may come."""
    taken = xml.take(element("OptOut", ReceviedAt=None, ReceivedAt="2014-08-02T16:28:42"))
    assert isinstance(taken, SubscriptionEvent)
    assert (taken.occurred_at, taken.repaired) == (WHEN, ())


def test_white_space_around_elements_is_no_departure(xml: XmlService) -> None:
    """An indented element is the same."""
    body = element("OptOut").replace(b"><", b">\r\n  <")
    assert xml.take(b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\n' + body) == EXPECTED["OptOut"]
