"""The one JSON form of a notification."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from soap_handler.notifications import from_dict
from soap_handler.sinks.form import cloud_event, content_type, encoded, form
from tests.sinks.deliveries import ALL_KINDS, AWKWARD, received

if TYPE_CHECKING:
    from soap_handler.sinks.base import Delivery


@pytest.mark.parametrize("delivery", ALL_KINDS, ids=lambda each: str(each.notification.kind))
def test_every_attribute_is_there_and_the_notification_can_be_had_back(delivery: Delivery) -> None:
    """Absent values are null, never missing; the names are those of the attributes."""
    values = form(delivery)
    names = {each.name for each in dataclasses.fields(delivery.notification)}
    assert set(values) == names | {"kind", "key", "stored_at", "attempt"}
    assert from_dict(delivery.notification.kind, values) == delivery.notification


@pytest.mark.parametrize("delivery", ALL_KINDS, ids=lambda each: str(each.notification.kind))
def test_a_sink_adds_only_what_the_delivery_knows(delivery: Delivery) -> None:
    """The rest is ``to_dict()`` of the notification, which a handler can call too."""
    values = form(delivery)
    assert values.pop("attempt") == delivery.attempt
    assert values.pop("stored_at") == "2026-03-02T08:00:01.250000Z"
    assert values == delivery.notification.to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["key"] == delivery.notification.key


def test_times_are_rfc_3339_in_utc() -> None:
    """``Z``, and as many digits of a second as there are."""
    values = form(received())
    assert (values["received_at"], values["stored_at"]) == ("2026-03-02T08:00:00Z", "2026-03-02T08:00:01.250000Z")


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD)
def test_every_text_survives(text: str) -> None:
    """The JSON is ASCII, and gives the exact text back: NUL, half a surrogate pair, ten thousand characters."""
    line = encoded(received(body=text))
    assert line.isascii()
    assert json.loads(line)["body"] == text


def test_a_cloud_event_has_the_key_as_its_id() -> None:
    """CloudEvents 1.0, structured mode: a copy of a notification has the same id, so the receiver can tell."""
    event = cloud_event(received())
    assert event["specversion"] == "1.0"
    assert event["id"] == received().notification.key
    assert event["data"] == form(received())
    assert content_type("cloudevents") == "application/cloudevents+json"
