"""Notifications as values: identity, stored form, and enumerations that stay open."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.notifications import (
    KINDS,
    ZERO_ID,
    ErrorType,
    EventCode,
    EventType,
    FailureReason,
    Kind,
    MessageError,
    MessageEvent,
    MessageReceived,
    MessageType,
    Notification,
    SubscriptionEvent,
    from_dict,
    stored_values,
    to_json,
)

MOMENT = datetime(2008, 6, 12, 9, 15, 30, 120000, UTC)
ONE_OF_EACH: list[Notification] = [
    MessageReceived(account="EX1", id="a-1", body="hi", sent_at=MOMENT),
    MessageEvent(account="EX1", id="a-1", occurred_at=MOMENT),
    MessageError(account="EX1", id="a-1", occurred_at=MOMENT, failure_reason=FailureReason(27, "Off", None)),
    SubscriptionEvent(account="EX1", mobile_number="447700900123", occurred_at=MOMENT),
]

TIMES = st.none() | st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])).filter(
    lambda when: 2 < when.year < 9999
)
TEXT = st.text(st.characters(), max_size=30)  # lone surrogates too
COMMON = {
    "account": TEXT,
    "original": st.dictionaries(TEXT, TEXT, max_size=2),
    "notification_id": st.just("") | TEXT,
    "repaired": st.lists(TEXT, max_size=2).map(tuple),
}
REASONS = st.none() | st.builds(
    FailureReason, st.none() | st.integers(-(2**63), 2**63), TEXT, st.none() | st.booleans()
)


def built(cls: type[Notification], **own: st.SearchStrategy[Any]) -> st.SearchStrategy[Notification]:
    return st.builds(cls, **COMMON, **own)


NOTIFICATIONS = st.one_of(
    built(
        MessageReceived,
        id=TEXT,
        originator=TEXT,
        recipient=TEXT,
        body=TEXT,
        type=TEXT.map(MessageType),
        sent_at=TIMES,
        received_at=TIMES,
    ),
    built(MessageEvent, id=TEXT, event_type=TEXT.map(EventType), occurred_at=TIMES),
    built(
        MessageError, id=TEXT, error_type=TEXT.map(ErrorType), occurred_at=TIMES, detail=TEXT, failure_reason=REASONS
    ),
    built(SubscriptionEvent, mobile_number=TEXT, contact_id=TEXT, event_code=TEXT.map(EventCode), occurred_at=TIMES),
)


@given(NOTIFICATIONS)
def test_the_stored_form_gives_the_notification_back(told: Notification) -> None:
    """Through JSON in ASCII, with every text that Python can hold; the key is the same afterwards."""
    stored = json.loads(json.dumps(stored_values(told)))
    again = from_dict(told.kind, stored)
    assert again == told
    assert again.key == told.key


@given(NOTIFICATIONS)
def test_there_is_one_stored_form(told: Notification) -> None:
    """The quick way to JSON says to the letter what the standard library says of the plain values."""
    assert to_json(told) == json.dumps(stored_values(told), separators=(",", ":"))


@given(NOTIFICATIONS)
def test_a_key_is_a_short_readable_path(told: Notification) -> None:
    """Fit for a database column, a log line and a file name; account and kind come first."""
    key = told.key
    assert key.isascii()
    assert key.isprintable()
    assert " " not in key
    assert key.split("/")[1] == told.kind.value
    assert 3 <= len(key.split("/")) <= 5
    assert len(key) < 400


@pytest.mark.parametrize("told", ONE_OF_EACH)
def test_a_stored_form_of_another_release_is_read(told: Notification) -> None:
    """Unknown names are left out, and missing ones have their defaults."""
    stored = stored_values(told) | {"priority": 1}
    assert from_dict(told.kind, stored) == told
    assert "original" not in stored
    assert "repaired" not in stored


def test_what_makes_a_message_another_one() -> None:
    """Account and id; not its text, which could be read better the next time (design, decision 3)."""
    told = MessageReceived(account="EX1", id="a-1", body="hi")
    assert told.key == "EX1/MessageReceived/a-1"
    assert replace(told, body="ho", repaired=("x",), sent_at=MOMENT, notification_id="n-1").key == told.key
    assert len({told.key, replace(told, id="a-2").key, replace(told, account="EX2").key}) == 3


def test_what_makes_an_event_another_one() -> None:
    """For events also what happened and when, however the time was written."""
    told = MessageEvent(account="EX1", id="a-1", occurred_at=MOMENT)
    assert told.key == "EX1/MessageEvent/a-1/Delivered/2008-06-12T09:15:30.120000Z"
    assert replace(told, occurred_at=MOMENT.astimezone(timezone(timedelta(hours=1)))).key == told.key
    others = [
        replace(told, occurred_at=MOMENT + timedelta(microseconds=1)),
        replace(told, occurred_at=None),
        replace(told, occurred_at=None, original={"occurred_at": "soon"}),
        replace(told, event_type=EventType("Read")),
        MessageError(account="EX1", id="a-1", occurred_at=MOMENT),
    ]
    assert len({told.key, *(other.key for other in others)}) == 6


@pytest.mark.parametrize("identity", ["", ZERO_ID, "x" * 65])
def test_without_a_usable_id_the_content_is_the_identity(identity: str) -> None:
    """The same content is the same message; other content is another; marks of repairs do not count."""
    told = MessageReceived(account="EX1", id=identity, body="hi", sent_at=MOMENT)
    assert replace(told, notification_id="n-1").key != told.key
    assert replace(told, repaired=("x",)).key == told.key
    assert replace(told, body="ho").key != told.key


def test_a_subscription_event_is_its_content() -> None:
    """It carries no id."""
    told = SubscriptionEvent(account="EX1", mobile_number="447700900123", occurred_at=MOMENT)
    assert replace(told).key == told.key
    assert replace(told, event_code=EventCode.CONTINUE).key != told.key
    assert "447700900123" not in told.key


@pytest.mark.parametrize("cls", [MessageType, EventType, ErrorType, EventCode])
def test_an_enumeration_keeps_what_it_does_not_know(cls: Any) -> None:
    """An unknown value is of the type, equal to its text, hashable, and can be copied and pickled."""
    unknown = cls("Hologram")
    assert (unknown.known, unknown.value, unknown.name, str(unknown)) == (False, "Hologram", "Hologram", "Hologram")
    assert {unknown: 1}["Hologram"] == 1
    assert unknown not in list(cls)
    assert cls("Hologram") == unknown
    assert copy.deepcopy(unknown) == pickle.loads(pickle.dumps(unknown)) == unknown  # noqa: S301 - our own
    assert all(member.known for member in cls)
    with pytest.raises(ValueError, match="is not a valid"):
        cls(7)


@pytest.mark.parametrize("told", ONE_OF_EACH)
def test_a_notification_does_not_change(told: Notification) -> None:
    """Its attributes are frozen, and it takes no others."""
    with pytest.raises(FrozenInstanceError):
        told.account = "EX2"  # type: ignore[misc] # what must not be done
    with pytest.raises((AttributeError, TypeError)):
        told.priority = 1  # type: ignore[union-attr] # what must not be done


def test_the_public_attributes_are_those_that_were_promised() -> None:
    """Later releases must not break customers' handlers."""
    common = {"account", "notification_id", "original", "repaired", "digest"}
    own = {kind.value: {spec.name for spec in fields(cls)} - common for kind, cls in KINDS.items()}
    assert own == {
        "MessageReceived": {"id", "originator", "recipient", "body", "type", "sent_at", "received_at"},
        "MessageEvent": {"id", "event_type", "occurred_at"},
        "MessageError": {"id", "error_type", "occurred_at", "detail", "failure_reason"},
        "SubscriptionEvent": {"mobile_number", "contact_id", "event_code", "occurred_at"},
    }
    assert all(cls.kind is kind for kind, cls in KINDS.items())
    assert [kind.value for kind in Kind] == list(own)
