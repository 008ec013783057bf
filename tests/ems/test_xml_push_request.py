"""What the simulated EMS writes as XML push, compared with the vendor's forms as trees."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from soap_handler.ems.xml_push import XmlWriter, utc_time
from soap_handler.notifications import (
    EventCode,
    FailureReason,
    MessageError,
    MessageEvent,
    MessageReceived,
    SubscriptionEvent,
)
from tests.ems.conftest import ACCOUNT

if TYPE_CHECKING:
    from soap_handler.notifications import Notification

ID = "8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5d"
OWN = "0a1b2c3d-1111-4222-8333-444455556666"
WHEN = datetime(2014, 8, 2, 17, 28, 42, tzinfo=timezone(timedelta(hours=1)))
REASON = FailureReason(27, "Off", permanent_failure=False)
FRAME = f"<Id>{OWN}</Id>"
NAMES = "<AccountId>EX0012345</AccountId>"
TIME = "<OccurredAt>2014-08-02T16:28:42</OccurredAt>"
REFERENCE = "<AccountReference>EX0012345</AccountReference>"


@pytest.mark.parametrize(
    ("notification", "expected"),
    [
        (
            MessageReceived(
                account="EX0012345", id=ID, originator="1", recipient="2", body="a\x1b", notification_id=OWN
            ),
            (
                f"<InboundMessage>{FRAME}{NAMES}<MessageId>{ID}</MessageId><From>1</From><To>2</To>"
                "<MessageText>a&#x1B;</MessageText></InboundMessage>"
            ),
        ),
        (
            MessageEvent(account="EX0012345", id=ID, occurred_at=WHEN, notification_id=OWN),
            f"<MessageDelivered>{FRAME}{NAMES}<MessageId>{ID}</MessageId>{TIME}</MessageDelivered>",
        ),
        (
            MessageError(account="EX0012345", id=ID, occurred_at=WHEN, failure_reason=REASON, notification_id=OWN),
            (
                f"<MessageFailed>{FRAME}{NAMES}<MessageId>{ID}</MessageId>{TIME}<FailureReason><Code>27</Code>"
                "<Detail>Off</Detail><PermanentFailure>false</PermanentFailure></FailureReason></MessageFailed>"
            ),
        ),
        (
            SubscriptionEvent(
                account="EX0012345",
                mobile_number="1",
                event_code=EventCode.UNSUBSCRIBE,
                occurred_at=WHEN,
                notification_id=OWN,
            ),
            (
                f"<OptOut>{FRAME}{NAMES}{REFERENCE}<From><PhoneNumber>1</PhoneNumber></From>"
                "<ReceviedAt>2014-08-02T16:28:42</ReceviedAt></OptOut>"
            ),
        ),
        (
            SubscriptionEvent(account="EX0012345", mobile_number="1", occurred_at=WHEN, notification_id=OWN),
            (
                f"<SubscriptionEvent>{FRAME}{NAMES}{REFERENCE}<mobileNumber>1</mobileNumber><contactID></contactID>"
                "<eventCode>Subscribe</eventCode><occurredAt>2014-08-02T16:28:42</occurredAt></SubscriptionEvent>"
            ),
        ),
    ],
    ids=lambda each: each.kind if not isinstance(each, str) else "",
)
def test_each_notification_is_written_in_the_vendors_form(notification: Notification, expected: str) -> None:
    """Names and values in their places; a control character is a reference, as .NET writes it."""
    request = XmlWriter().request(ACCOUNT, notification)
    assert b"\x1b" not in request.body
    assert (b"&#x1B;" in request.body) == ("&#x1B;" in expected)
    written, wanted = (etree.fromstring(text.replace(b"&#x1B;", b"?")) for text in (request.body, expected.encode()))
    assert etree.tostring(written, method="c14n") == etree.tostring(wanted, method="c14n")


def test_the_credentials_are_in_the_head_or_in_the_address() -> None:
    """Never in the body."""
    event = MessageEvent(account="EX0012345", id=ID)
    request = XmlWriter().request(ACCOUNT, event)
    assert request.headers == {
        "Content-Type": "application/xml; charset=utf-8",
        "Authorization": "Basic ZW1zOnMzY3JldA==",
    }
    assert b"s3cret" not in request.body
    assert "Authorization" not in XmlWriter().request(dataclasses.replace(ACCOUNT, push_username=""), event).headers


def test_times() -> None:
    """In UTC without a zone, with as many digits as there are."""
    assert utc_time(None) == "0001-01-01T00:00:00"
    assert utc_time(datetime(2014, 8, 2, 16, 28, 42, 120000, UTC)) == "2014-08-02T16:28:42.120000"
