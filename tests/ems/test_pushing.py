"""Pushes carry the contract's values, and are repeated until they are answered with 200 and the empty response."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from soap_handler.contract import NAMESPACE, SOAP_11, soap_action, wsdl_path
from soap_handler.ems import Counts, Disturbances, EmsAccount, PushSettings, SimulatedEms
from soap_handler.notifications import (
    ErrorType,
    EventCode,
    FailureReason,
    MessageError,
    MessageEvent,
    MessageReceived,
    MessageType,
    Notification,
    SubscriptionEvent,
)
from tests.ems.conftest import ACCOUNT, RecordingHandler, envelope, served
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

ID = "8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5d"
EVEN = datetime(2008, 6, 12, 10, 16, 2, tzinfo=UTC)
ODD = datetime(2008, 6, 12, 9, 15, 31, 123456, tzinfo=UTC)
QUICK = PushSettings(concurrency=2, timeout=5, first_retry=0.01, longest_retry=0.05)

RECEIVED = MessageReceived(
    account=ACCOUNT.reference,
    id=ID,
    originator="447700900123",
    recipient="447786204254",
    body=" Yes & no\r\n ",
    type=MessageType.UNICODE,
    sent_at=ODD,
)
EVENT = MessageEvent(account=ACCOUNT.reference, id=ID, occurred_at=EVEN)
ERROR = MessageError(
    account=ACCOUNT.reference,
    id=ID,
    error_type=ErrorType.VALIDITY_PERIOD_EXPIRED,
    occurred_at=EVEN,
    detail="expired",
    failure_reason=FailureReason(code=27, description="off", permanent_failure=False),
)
SUBSCRIPTION = SubscriptionEvent(
    account=ACCOUNT.reference, mobile_number="447700900123", event_code=EventCode.RESUBSCRIBE, occurred_at=ODD
)

WIRE: list[tuple[Notification, dict[str, str | None]]] = [
    (
        RECEIVED,
        {
            "id": ID,
            "originator": "447700900123",
            "recipient": "447786204254",
            "body": " Yes & no\r\n ",
            "type": "Unicode",
            "sentat": "2008-06-12T10:15:31.1234560+01:00",
            "receivedat": "0001-01-01T00:00:00",
        },
    ),
    (EVENT, {"id": ID, "eventtype": "Delivered", "occurredat": "2008-06-12T10:16:02.0000000Z"}),
    (
        ERROR,
        {
            "id": ID,
            "errortype": "ValidityPeriodExpired",
            "occurredat": "2008-06-12T10:16:02.0000000Z",
            "detail": "expired",
            "failurereason": None,
            "code": "27",
            "description": "off",
            "permanentfailure": "false",
        },
    ),
    (
        SUBSCRIPTION,
        {
            "mobileNumber": "447700900123",
            "contactID": None,
            "eventCode": "Resubscribe",
            "occurredAt": "2008-06-12T10:15:31.1234560+01:00",
        },
    ),
]

EMPTY = f'<MessageReceivedResponse xmlns="{NAMESPACE}"/>'
FAULT = "<s:Fault><faultcode>s:Server</faultcode><faultstring>not now</faultstring></s:Fault>"
XML = "text/xml; charset=utf-8"
WRONG_ANSWERS = {
    "fault": ("500 Internal Server Error", XML, envelope(FAULT)),
    "fault with 200": ("200 OK", XML, envelope(FAULT)),
    "right body with 500": ("500 Internal Server Error", XML, envelope(EMPTY)),
    "accepted": ("202 Accepted", XML, envelope(EMPTY)),
    "no content": ("204 No Content", XML, b""),
    "redirect": ("307 Temporary Redirect", XML, b""),
    "moved": ("302 Found", XML, envelope(EMPTY)),
    "forbidden": ("403 Forbidden", "text/plain", b"no"),
    "empty 200": ("200 OK", XML, b""),
    "empty body": ("200 OK", XML, envelope("")),
    "no namespace": ("200 OK", XML, envelope("<MessageReceivedResponse/>")),
    "another operation": ("200 OK", XML, envelope(f'<MessageEventResponse xmlns="{NAMESPACE}"/>')),
    "something in it": ("200 OK", XML, envelope(EMPTY.replace("/>", ">ok</MessageReceivedResponse>"))),
    "two of them": ("200 OK", XML, envelope(EMPTY * 2)),
    "html": ("200 OK", "text/html", b"<html><body>ok</body></html>"),
    "no xml": ("200 OK", "text/html", b"<html><br>"),
}


def pushed(handler: RecordingHandler, *notifications: Notification, disturbances: Disturbances | None = None) -> Counts:
    """Push to this handler until all is quiet, and return the books."""
    with served(handler) as url, SimulatedEms([ACCOUNT], url, disturbances=disturbances, push_settings=QUICK) as ems:
        ems.push_all(notifications)
        assert ems.wait_until_quiet(5), ems.waiting()
        return ems.counts()


def handler_schema() -> etree.XMLSchema:
    types = etree.parse(wsdl_path("AccountEventHandler")).find(".//{http://www.w3.org/2001/XMLSchema}schema")
    assert types is not None
    return etree.XMLSchema(etree.fromstring(etree.tostring(types)))


@pytest.mark.parametrize(("notification", "expected"), WIRE)
def test_each_kind_is_written_as_the_contract_says(
    notification: Notification, expected: Mapping[str, str | None]
) -> None:
    """Names, order and values of the parameters, the SOAPAction and the header are those of the contract."""
    handler = RecordingHandler()
    counts = pushed(handler, notification)
    ((action, body),) = handler.requests
    assert action == f'"{soap_action(notification.kind)}"'
    parameters = etree.fromstring(body).find(f".//{{{NAMESPACE}}}{notification.kind}")
    assert parameters is not None
    assert handler_schema().validate(parameters)
    found = {etree.QName(node).localname: node.text for node in parameters.iterdescendants()}
    assert list(found.items()) == list(expected.items())
    assert (counts.pushed, counts.sends, counts.acknowledged, counts.duplicates) == (1, 1, 1, 0)


def test_every_push_carries_the_push_credentials() -> None:
    """The header holds what was registered in Web SMS, not the login of the inbox."""
    handler = RecordingHandler()
    pushed(handler, EVENT)
    names = ("Username", "Password", "Account")
    assert [handler.values(name) for name in names] == [["ems"], ["s3cret"], ["EX0012345"]]


def test_an_account_may_be_pushed_under_its_number() -> None:
    """Either name may be in ``Account`` (contract, section 4)."""
    handler = RecordingHandler()
    account = EmsAccount(
        reference="EX1", number="44", username="u", password="p", push_username="e", push_password="s", pushed_as="44"
    )
    with served(handler) as url, SimulatedEms([account], url) as ems:
        ems.push(MessageEvent(account="EX1", id=ID))
        assert ems.wait_until_quiet(5)
    assert handler.values("Account") == ["44"]


@pytest.mark.parametrize("wrong", WRONG_ANSWERS)
def test_any_other_answer_is_followed_by_another_push(wrong: str) -> None:
    """Only 200 with the empty response ends it, and a redirect is not followed."""
    handler = RecordingHandler(WRONG_ANSWERS[wrong])
    counts = pushed(handler, RECEIVED)
    assert (counts.sends, counts.duplicates, counts.acknowledged) == (2, 1, 1)
    assert handler.values("id") == [ID, ID]


def test_an_indented_answer_with_a_header_is_good() -> None:
    """White space, comments and a SOAP header do not make the answer a wrong one."""
    answer = f"""<?xml version="1.0"?>
    <S:Envelope xmlns:S="{SOAP_11}"><S:Header/>
      <S:Body><!-- done -->
        <r:MessageReceivedResponse xmlns:r="{NAMESPACE}">
        </r:MessageReceivedResponse>
      </S:Body>
    </S:Envelope>""".strip()
    counts = pushed(RecordingHandler(("200 OK", XML, answer.encode())), RECEIVED)
    assert counts.sends == 1


def test_nothing_is_sent_before_the_address_is_known() -> None:
    """Notifications wait for ``handler_url``."""
    handler = RecordingHandler()
    with served(handler) as url, SimulatedEms([ACCOUNT], push_settings=QUICK) as ems:
        ems.push(EVENT)
        assert not ems.wait_until_quiet(0.05)
        assert (ems.counts().sends, ems.counts().waiting) == (0, 1)
        ems.handler_url = url
        assert ems.wait_until_quiet(5)
    assert len(handler.requests) == 1


def test_a_handler_that_is_away_is_tried_until_it_is_back() -> None:
    """A refused connection is retried like a wrong answer, and the reason can be read."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}/"
    handler = RecordingHandler()
    with served(handler) as url, SimulatedEms([ACCOUNT], nowhere, push_settings=QUICK) as ems:
        ems.push(EVENT)
        wait_for(lambda: ems.counts().sends >= 2)
        wait_for(
            lambda: any(delivery.last_failure == "ConnectionError (Connection refused)" for delivery in ems.waiting())
        )
        ems.handler_url = url
        assert ems.wait_until_quiet(5)
        assert ems.counts().acknowledged == 1


def test_the_reason_of_a_refusal_can_be_read() -> None:
    """The fault's text is kept; it tells why a test does not end."""
    with (
        served(RecordingHandler(WRONG_ANSWERS["fault"])) as url,
        SimulatedEms([ACCOUNT], url, push_settings=PushSettings(first_retry=60, longest_retry=60)) as ems,
    ):
        ems.push(RECEIVED)
        wait_for(lambda: ems.counts().sends == 1)
        assert [delivery.last_failure for delivery in ems.waiting()] == ["HTTP 500: s:Server: not now"]


def test_ems_gives_up_in_the_end() -> None:
    """After its time EMS pushes no more; a received message is still in the inbox."""
    handler = RecordingHandler(*[WRONG_ANSWERS["fault"]] * 1000)
    settings = PushSettings(first_retry=0.01, longest_retry=0.02, give_up_after=0.1)
    with served(handler) as url, SimulatedEms([ACCOUNT], url, push_settings=settings) as ems:
        ems.push(RECEIVED)
        assert ems.wait_until_quiet(5)
        counts = ems.counts()
    assert (counts.given_up, counts.acknowledged, counts.inbox) == (1, 0, 1)
    assert counts.sends > 1


def test_a_lost_answer_reached_the_handler_and_is_pushed_again() -> None:
    """The handler gave its 200, EMS never saw it, and so the same notification comes again."""
    handler = RecordingHandler()
    counts = pushed(handler, EVENT, disturbances=Disturbances(lost_answers=1))
    assert handler.values("id") == [ID, ID]
    assert (counts.lost_answers, counts.sends, counts.acknowledged) == (1, 2, 1)


def test_a_duplicate_comes_although_it_was_answered() -> None:
    """A duplicate follows a good answer, once."""
    handler = RecordingHandler()
    counts = pushed(handler, EVENT, disturbances=Disturbances(duplicates=1))
    assert len(handler.requests) == 2
    assert (counts.duplicates, counts.acknowledged, counts.pushed) == (1, 1, 1)


def test_the_same_notification_pushed_twice_counts_once() -> None:
    """The books tell notifications apart by their key."""
    counts = pushed(RecordingHandler(), EVENT, EVENT)
    assert (counts.pushed, counts.acknowledged, counts.sends, counts.duplicates) == (1, 1, 2, 1)


def test_late_notifications_are_overtaken() -> None:
    """A notification that is held back comes after one that was pushed later."""
    handler = RecordingHandler()
    other = MessageEvent(account=ACCOUNT.reference, id=ID.replace("8", "9"))
    with served(handler) as url, SimulatedEms([ACCOUNT], url, push_settings=QUICK) as ems:
        ems.push_disturbances = Disturbances(late=1, late_by=0.2)
        ems.push(EVENT)
        ems.push_disturbances = Disturbances()
        ems.push(other)
        assert ems.wait_until_quiet(5)
    assert handler.values("id") == [other.id, ID]


def test_a_burst_waits_and_comes_at_once() -> None:
    """Notifications of a burst have the same moment to be sent at."""
    ordered = Disturbances(bursts=1, burst_every=3600)
    with SimulatedEms([ACCOUNT], disturbances=ordered) as ems:
        ems.push_all([RECEIVED, EVENT, ERROR])
        assert len({delivery.due for delivery in ems.waiting()}) == 1


def test_ids_may_come_in_capitals() -> None:
    """Ids are GUIDs in either case (contract, section 4)."""
    handler = RecordingHandler()
    pushed(handler, EVENT, disturbances=Disturbances(upper_case_ids=1))
    assert handler.values("id") == [ID.upper()]


def test_control_characters_are_pushed_as_references() -> None:
    """.NET writes a form feed as ``&#xC;`` (contract, section 4)."""
    handler = RecordingHandler()
    body = "one\x0ctwo\x1b"
    pushed(handler, MessageReceived(account=ACCOUNT.reference, id=ID, body=body))
    assert b"one&#xC;two&#x1B;" in handler.requests[0][1]


def test_a_text_that_cannot_be_written_is_a_failed_push() -> None:
    """A lone surrogate stops no thread: the push fails like any other."""
    with served(RecordingHandler()) as url, SimulatedEms([ACCOUNT], url, push_settings=QUICK) as ems:
        ems.push(MessageReceived(account=ACCOUNT.reference, id=ID, body="\ud83d"))
        wait_for(lambda: ems.counts().sends >= 2)
        ems.push(EVENT)
        wait_for(lambda: ems.counts().acknowledged == 1)


def test_an_unknown_account_cannot_be_pushed_for() -> None:
    """A notification for an account that EMS does not have is a mistake of the test."""
    with SimulatedEms([ACCOUNT]) as ems, pytest.raises(KeyError):
        ems.push(MessageEvent(account="EX2", id=ID))


def test_stopping_does_not_wait_for_what_is_not_due() -> None:
    """The end of a test is quick, whatever is still waiting."""
    settings = PushSettings(first_retry=600, longest_retry=600)
    with served(RecordingHandler(WRONG_ANSWERS["fault"])) as url:
        ems = SimulatedEms([ACCOUNT], url, push_settings=settings).start()
        ems.push(EVENT)
        wait_for(lambda: ems.counts().sends == 1)
        started = time.monotonic()
        ems.stop()
        assert time.monotonic() - started < 2
