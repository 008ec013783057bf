"""A notification that the simulated EMS writes as XML push comes out as it went in, but for what the version lacks."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from soap_handler.accounts.accounts import Accounts
from soap_handler.contract import Version
from soap_handler.ems import EmsAccount
from soap_handler.ems.xml_push import XmlWriter
from soap_handler.faces.base import Request
from soap_handler.faces.xml_push import XmlPush
from soap_handler.notifications import (
    EventCode,
    FailureReason,
    MessageError,
    MessageEvent,
    MessageReceived,
    MessageType,
    Notification,
    SubscriptionEvent,
)
from soap_handler.receive.receiver import Receiver
from tests.faces.xml_push.xml_service import ACCOUNT, GUID, TOKEN
from tests.support.versions import as_said_in
from tests.support.wire import PASSWORD, REFERENCE, USERNAME

FACE: Final = XmlPush(Receiver(Accounts([ACCOUNT])))
EMS: Final = EmsAccount(
    reference=REFERENCE, username="", password="", push_username=USERNAME, push_password=PASSWORD, pushed_as=GUID
)
IDS: Final = st.uuids().filter(lambda one: one.int != 0).map(str)
TEXTS: Final = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\x00\x0c\x1b\r\n\t&<>]\U0010fffd"))
TIMES: Final = st.datetimes(datetime(1000, 1, 1), datetime(9998, 1, 1)).map(lambda when: when.replace(tzinfo=UTC))  # noqa: DTZ001
COMMON: Final = {"account": st.just(REFERENCE), "notification_id": IDS}
REASONS: Final = st.builds(FailureReason, st.integers(-(10**9), 10**9), TEXTS, st.booleans())
NOTIFICATIONS: Final[st.SearchStrategy[Notification]] = st.one_of(
    st.builds(
        MessageReceived,
        id=IDS,
        originator=TEXTS,
        recipient=TEXTS,
        body=TEXTS,
        type=st.sampled_from(MessageType),
        sent_at=TIMES,
        received_at=TIMES,
        **COMMON,
    ),
    st.builds(MessageEvent, id=IDS, occurred_at=st.none() | TIMES, **COMMON),
    st.builds(MessageError, id=IDS, occurred_at=TIMES, detail=TEXTS, failure_reason=st.none() | REASONS, **COMMON),
    st.builds(
        SubscriptionEvent,
        mobile_number=TEXTS,
        contact_id=TEXTS,
        event_code=st.sampled_from(EventCode),
        occurred_at=TIMES,
        **COMMON,
    ),
)
"""Error types other than Failed are left out: XML push has no place for them, and they are part of the key."""


@settings(deadline=None)
@given(NOTIFICATIONS, st.booleans(), st.booleans())
def test_round_trip(sent: Notification, basic: bool, upper: bool) -> None:  # noqa: FBT001 - drawn
    """By HTTP Basic and by a token, with ids in letters of either case."""
    account = EMS if basic else dataclasses.replace(EMS, push_username="")
    request = XmlWriter().request(account, sent, upper_case_id=upper)
    path = "/push" if basic else f"/push/{TOKEN}"
    headers = request.headers
    exchange = FACE.prepare(
        Request(request.body, "127.0.0.1", headers["Content-Type"], path, headers.get("Authorization", ""))
    )
    assert exchange.entry is not None, exchange.answer
    taken = exchange.entry.notification
    controls = ("control character",) if "control character" in taken.repaired else ()
    assert dataclasses.replace(taken, repaired=()) == as_said_in(Version.XML_PUSH, sent)
    assert taken.repaired == controls
    if not isinstance(sent, SubscriptionEvent):
        assert taken.key == sent.key


def test_a_retry_is_the_same_request() -> None:
    """A notification without an id of its own is given one that stays."""
    sent = MessageEvent(account=REFERENCE, id="8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5d")
    assert XmlWriter().request(EMS, sent) == XmlWriter().request(EMS, sent)
    assert b"<Id>" in XmlWriter().request(EMS, sent).body
