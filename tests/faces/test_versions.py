"""One notification in every version of the API: what the handler gets, and the differences that a version forces."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import soap_handler
from soap_handler.accounts.accounts import Accounts
from soap_handler.contract import Version
from soap_handler.ems import EmsAccount
from soap_handler.ems.form_push import FormWriter
from soap_handler.ems.soap_push import SoapWriter
from soap_handler.ems.xml_push import XmlWriter
from soap_handler.faces.base import Request
from soap_handler.faces.form_post.face import FormPost
from soap_handler.faces.soap.endpoint import Endpoint
from soap_handler.faces.xml_push import PATH, XmlPush
from soap_handler.fast.assembly import FastSeams
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
from soap_handler.receive.receiver import Receiver
from tests.support.quickly import assert_alike, prepare_quickly
from tests.support.service import ACCOUNTS
from tests.support.versions import as_said_in
from tests.support.wire import PASSWORD, REFERENCE, USERNAME

if TYPE_CHECKING:
    from soap_handler.ems.versions import Writer
    from soap_handler.faces.base import Face
    from soap_handler.notifications import Notification

RECEIVER: Final = Receiver(Accounts(ACCOUNTS))
SOAP: Final = Endpoint(RECEIVER, read_many=FastSeams().read_many(Endpoint, RECEIVER))
FORM: Final = FormPost(RECEIVER, FastSeams().read_many(FormPost, RECEIVER))
XML: Final = XmlPush(RECEIVER, read_many=FastSeams().read_many(XmlPush, RECEIVER))
VERSIONS: Final[dict[Version, tuple[Writer, Face]]] = {
    Version.SOAP: (SoapWriter(), SOAP),
    Version.SOAP_NO_HEADERS: (SoapWriter(header=False), SOAP),
    Version.FORM_POST: (FormWriter(), FORM),
    Version.XML_PUSH: (XmlWriter(), XML),
}
ACCOUNT: Final = EmsAccount(
    reference=REFERENCE, username="", password="", push_username=USERNAME, push_password=PASSWORD
)
FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
TIMES: Final = st.none() | st.integers(0, 10**15).map(lambda elapsed: FIRST + timedelta(microseconds=elapsed))
TEXTS: Final = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=20)
IDS: Final = st.uuids().map(str)
NUMBERS: Final = st.integers(-(2**31), 2**31 - 1)
COMMON: Final = {"account": st.just(REFERENCE)}
MESSAGES: Final = st.builds(
    MessageReceived,
    **COMMON,
    id=IDS,
    originator=TEXTS,
    recipient=TEXTS,
    body=TEXTS,
    type=st.sampled_from(MessageType),
    sent_at=TIMES,
    received_at=TIMES,
)
NOTIFICATIONS: Final = st.one_of(
    MESSAGES,
    st.builds(MessageEvent, **COMMON, id=IDS, event_type=st.just(EventType.DELIVERED), occurred_at=TIMES),
    st.builds(
        MessageError,
        **COMMON,
        id=IDS,
        error_type=st.sampled_from(ErrorType),
        occurred_at=TIMES,
        detail=TEXTS,
        failure_reason=st.none() | st.builds(FailureReason, NUMBERS, TEXTS, st.booleans()),
    ),
    st.builds(
        SubscriptionEvent,
        **COMMON,
        mobile_number=TEXTS,
        contact_id=TEXTS,
        event_code=st.sampled_from(EventCode),
        occurred_at=TIMES,
    ),
)

slowly = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def pushed(notification: Notification, version: Version) -> Notification:
    """Return what the handler gets of a notification that EMS pushes in a version, by either way of reading."""
    writer, face = VERSIONS[version]
    request = writer.request(ACCOUNT, notification)
    sent = request.headers["Content-Type"], PATH, request.headers.get("Authorization", "")  # the path is for XML push
    exchange = face.prepare(Request(request.body, "127.0.0.1", *sent))
    assert exchange.entry is not None, exchange.answer
    quick = prepare_quickly(face, request.body, *sent)
    assert_alike(quick, exchange)
    return exchange.entry.notification


def unmarked(notification: Notification) -> Notification:
    """Return a notification without marks: only XML repairs control characters."""
    return replace(notification, repaired=())


@slowly
@given(NOTIFICATIONS)
def test_the_handler_gets_the_same_in_every_version(notification: Notification) -> None:
    """But for what a version cannot say."""
    header, bare = pushed(notification, Version.SOAP), pushed(notification, Version.SOAP_NO_HEADERS)
    form, element = pushed(notification, Version.FORM_POST), pushed(notification, Version.XML_PUSH)
    assert unmarked(header) == unmarked(bare) == notification
    assert form == as_said_in(Version.FORM_POST, notification)
    assert form.repaired == ()
    assert element.notification_id
    assert unmarked(replace(element, notification_id="")) == as_said_in(Version.XML_PUSH, notification)
    assert set(element.repaired) <= set(header.repaired) <= {"control character"}


@slowly
@given(MESSAGES)
def test_a_message_has_one_key_in_every_version(notification: Notification) -> None:
    """By whichever way it comes, and comes again, it is one notification."""
    assert {pushed(notification, version).key for version in VERSIONS} == {notification.key}


@slowly
@given(NOTIFICATIONS.map(partial(as_said_in, Version.FORM_POST)))
def test_an_event_of_whole_seconds_has_one_key_in_every_version(notification: Notification) -> None:
    """The time is a part of an event's key; where the form cannot say it, it is another one.

    XML push knows one type of error, and has an id of its own in the key of a subscription event.
    """
    versions = set(VERSIONS)
    if (
        isinstance(notification, SubscriptionEvent)
        or as_said_in(Version.XML_PUSH, notification).key != notification.key
    ):
        versions.remove(Version.XML_PUSH)
    assert {pushed(notification, version).key for version in versions} == {notification.key}


def test_an_event_with_a_fraction_has_another_key_in_a_form() -> None:
    """The difference that the page names, so that nobody is surprised who changes the version."""
    event = MessageEvent(
        account=REFERENCE, id="a", occurred_at=datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=0.5)
    )
    assert pushed(event, Version.FORM_POST).key != pushed(event, Version.SOAP).key == event.key


WHEN: Final = FIRST + timedelta(seconds=0.5)
FULL: Final[tuple[Notification, ...]] = (
    MessageReceived(account=REFERENCE, id="a", body="\x1b", type=MessageType.UNICODE, sent_at=WHEN, received_at=WHEN),
    MessageEvent(account=REFERENCE, id="a", occurred_at=WHEN),
    MessageError(
        account=REFERENCE,
        id="a",
        error_type=ErrorType.UNRECOGNISED_RECIPIENT,
        occurred_at=WHEN,
        detail="off",
        failure_reason=FailureReason(1, "x", permanent_failure=True),
    ),
    SubscriptionEvent(
        account=REFERENCE, mobile_number="1", contact_id="c", event_code=EventCode.UNSUBSCRIBE, occurred_at=WHEN
    ),
)
"""A value for each attribute that a version may be unable to say."""


def test_the_page_of_the_differences_names_each() -> None:
    """The table of ``docs/versions.md`` has a row for each attribute that differs between versions."""
    page = (Path(soap_handler.__file__).parent / "docs" / "versions.md").read_text(encoding="utf-8")
    table = page.partition("## What a version forces")[2]
    named = {
        name for line in table.splitlines() if line.startswith("| ") for name in line.split("|")[1].split("`")[1::2]
    }
    found = {"key"}
    for notification in FULL:
        several = [pushed(notification, version) for version in VERSIONS]
        names = [each.name for each in fields(notification)]
        found |= {name for name in names if len({repr(getattr(one, name)) for one in several}) > 1}
    assert found - {"occurred_at"} <= named, "times have a row of their own"
    assert "| times |" in table
