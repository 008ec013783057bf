"""The contract's own samples, byte for byte, through the whole service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from soap_handler.contract import soap_action
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
from tests.corpus import SAMPLES
from tests.faces.soap.answers import assert_proper
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from soap_handler.notifications import Notification
    from tests.support.service import Service

EXPECTED: dict[str, Notification] = {
    "MessageReceived": MessageReceived(
        account="EX0012345",
        id="8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5d",
        originator="447700900123",
        recipient="447786204254",
        body="Yes please, 2 tickets & a menu \u2013 Jos\u00e9",
        type=MessageType.TEXT,
        sent_at=datetime(2008, 6, 12, 9, 15, 30, 123456, UTC),
        received_at=datetime(2008, 6, 12, 9, 15, 31, tzinfo=UTC),
        original={"sent_at": "2008-06-12T10:15:30.1234567+01:00"},
    ),
    "MessageEvent": MessageEvent(
        account="EX0012345",
        id="1f0a7f6e-0c57-4b8e-9a57-5d7c2f1f8f10",
        event_type=EventType.DELIVERED,
        occurred_at=datetime(2008, 6, 12, 10, 16, 2, tzinfo=UTC),
    ),
    "MessageError": MessageError(
        account="EX0012345",
        id="5b9f5a51-6b4c-4b0f-8a3a-0a9d8f7e6c55",
        error_type=ErrorType.VALIDITY_PERIOD_EXPIRED,
        occurred_at=datetime(2008, 6, 13, 10, 16, 2, tzinfo=UTC),
        detail="The validity period of the message expired",
        failure_reason=FailureReason(27, "Handset was switched off", permanent_failure=False),
    ),
    "SubscriptionEvent": SubscriptionEvent(
        account="EX0012345",
        mobile_number="447700900123",
        contact_id="",
        event_code=EventCode.SUBSCRIBE,
        occurred_at=datetime(2008, 6, 12, 9, 20, tzinfo=UTC),
    ),
}


def action(name: str) -> str:
    return f'SOAPAction: "{soap_action(name)}"'


@pytest.mark.parametrize("name", EXPECTED)
def test_each_sample_is_confirmed_and_reaches_the_handler(shared: Service, name: str) -> None:
    """A sample is answered 200 with the empty response element, and its values come out as they went in."""
    answer = shared.post((SAMPLES / f"{name}.xml").read_bytes(), action(name))
    assert_proper(answer)
    assert answer.confirms == name
    wait_for(lambda: EXPECTED[name] in shared.handled)
    (handled,) = (each for each in shared.handled if each.kind == name)
    assert handled.repaired == ()


def test_what_is_posted_twice_is_handled_once(service: Service) -> None:
    """A repeated push is a success, and changes nothing."""
    for name in [*EXPECTED, *EXPECTED]:
        assert service.post((SAMPLES / f"{name}.xml").read_bytes(), action(name)).confirms == name
    assert sum(service.app.journal.counts().values()) == len(EXPECTED)
    wait_for(lambda: len(service.handled) >= len(EXPECTED))
    service.stop()
    assert sorted(each.key for each in service.handled) == sorted(each.key for each in EXPECTED.values())


def test_both_spellings_of_the_address_take_a_push_whatever_their_case(shared: Service) -> None:
    """People who replace an ``.asmx`` keep its address, and IIS never minded letter case."""
    sample = (SAMPLES / "MessageEvent.xml").read_bytes()
    paths = ("/AccountEventHandler", "/AccountEventHandler.asmx", "/accounteventhandler", "/ACCOUNTEVENTHANDLER.ASMX")
    for path in (*paths, "//AccountEventHandler", "/AccountEventHandler?op=MessageEvent"):
        assert shared.post(sample, action("MessageEvent"), path=path).confirms == "MessageEvent"
