"""Pushes in the other versions of the API: what goes over the wire, and which answers confirm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import pytest
from lxml import etree

from soap_handler.contract import NAMESPACE, SOAP_11, Version
from soap_handler.ems import Counts, PushSettings, SimulatedEms
from soap_handler.ems.form_push import form_time
from soap_handler.ems.listener import Listener
from soap_handler.notifications import (
    ErrorType,
    EventCode,
    FailureReason,
    MessageError,
    MessageEvent,
    MessageReceived,
    SubscriptionEvent,
)
from tests.corpus import SAMPLES
from tests.ems.conftest import ACCOUNT, RecordingHandler, served

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.notifications import Notification

ID: Final = "c9b1ed7b-2ad2-4b45-85cf-63f430aab76a"
WHEN: Final = datetime(2014, 8, 2, 16, 28, 42, tzinfo=UTC)
RECEIVED: Final = MessageReceived(
    account="EX0012345",
    id=ID,
    originator="447700900123",
    recipient="447786204254",
    body="Test & t\u00e9st",
    sent_at=WHEN,
    received_at=WHEN,
)
LOGIN: Final = {"username": "ems", "password": "s3cret", "account": "EX0012345"}
FORMS: Final[list[tuple[Notification, dict[str, str]]]] = [
    (
        MessageReceived(account="EX0012345", id=ID, body=" \r\n+%\f", received_at=None),
        {
            "id": ID,
            "originator": "",
            "recipient": "",
            "body": " \r\n+%\f",
            "type": "Text",
            "receivedAt": "0001-01-01 00:00:00Z",
        },
    ),
    (
        MessageEvent(account="EX0012345", id=ID, occurred_at=WHEN),
        {"id": ID, "eventType": "Delivered", "occurredAt": "2014-08-02 16:28:42Z"},
    ),
    (
        MessageError(
            account="EX0012345",
            id=ID,
            error_type=ErrorType.FAILED,
            occurred_at=WHEN,
            detail="off",
            failure_reason=FailureReason(27, "off", permanent_failure=True),
        ),
        {"id": ID, "errorType": "Failed", "occurredAt": "2014-08-02 16:28:42Z", "detail": "off"},
    ),
    (
        SubscriptionEvent(account="EX0012345", mobile_number="44", event_code=EventCode.RESUBSCRIBE, occurred_at=WHEN),
        {"mobileNumber": "44", "contactID": "", "eventType": "Resubscribe", "occurredAt": "2014-08-02 16:28:42Z"},
    ),
]


class FormHandler:
    """Keeps the forms that it is sent; the first answers may be others than 200."""

    def __init__(self, *first_statuses: str) -> None:
        self.posts: list[tuple[str, bytes]] = []
        self._statuses = list(first_statuses)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.posts.append((environ["CONTENT_TYPE"], environ["wsgi.input"].read()))
        status = self._statuses.pop(0) if self._statuses else "200 OK"
        start_response(status, [("Content-Type", "text/plain"), ("Content-Length", "4")])
        return [b"word"]


def pushed(handler: FormHandler | RecordingHandler, version: str, *notifications: Notification) -> Counts:
    """Push each notification in a version, one after the other."""
    quick = PushSettings(concurrency=1, timeout=5, first_retry=0.01, longest_retry=0.05)
    with Listener(handler) as listener:
        url = f"http://127.0.0.1:{listener.port}/x"
        with SimulatedEms([ACCOUNT], url, push_settings=quick, api=version) as ems:
            ems.push_all(notifications)
            assert ems.wait_until_quiet(5)
            return ems.counts()


def test_a_form_is_the_contracts_sample() -> None:
    """Field for field, in its order, byte for byte."""
    handler = FormHandler()
    pushed(handler, "form", RECEIVED)
    sample = (SAMPLES / "MessageReceived.form").read_bytes().strip()
    assert handler.posts == [("application/x-www-form-urlencoded", sample)]


@pytest.mark.parametrize(("notification", "fields"), FORMS, ids=lambda value: getattr(value, "kind", None))
def test_each_kind_has_its_fields(notification: Notification, fields: dict[str, str]) -> None:
    """A time that is not set is year 1, or left out where the contract says that it may be."""
    handler = FormHandler()
    pushed(handler, "form", notification)
    ((_, body),) = handler.posts
    expected = {**LOGIN, "notificationType": notification.kind.value, **fields}
    assert parse_qsl(body.decode(), keep_blank_values=True) == list(expected.items())


@pytest.mark.parametrize("version", ["form", "xml"])
@pytest.mark.parametrize("status", ["503 Service Unavailable", "400 Bad Request", "403 Forbidden", "204 No Content"])
def test_only_200_confirms_where_the_answer_is_plain(version: str, status: str) -> None:
    """Anything else is followed by another push."""
    counts = pushed(FormHandler(status), version, RECEIVED)
    assert (counts.sends, counts.acknowledged) == (2, 1)


def test_form_times_are_whole_seconds_in_utc() -> None:
    """As in the contract's sample."""
    assert form_time((WHEN + timedelta(microseconds=999_999)).astimezone()) == "2014-08-02 16:28:42Z"


def test_soap_without_headers_has_the_credentials_first_in_the_operation() -> None:
    """In the contract's namespace, before the parameters, and there is no header."""
    handler = RecordingHandler()
    pushed(handler, "soap-no-header", RECEIVED)
    ((action, body),) = handler.requests
    assert action == f'"{NAMESPACE}/MessageReceived"'
    root = etree.fromstring(body)
    assert [child.tag for child in root] == [f"{{{SOAP_11}}}Body"]
    assert [child.tag for child in root[0][0]] == [
        f"{{{NAMESPACE}}}{name}"
        for name in (*LOGIN, "id", "originator", "recipient", "body", "type", "sentat", "receivedat")
    ]
    assert [child.text for child in root[0][0]][:4] == [*LOGIN.values(), ID]


def test_an_unknown_version_is_a_mistake() -> None:
    """Its name is one of those that the options list."""
    with pytest.raises(ValueError, match="rest"):
        SimulatedEms([ACCOUNT], api="rest")
    with served(RecordingHandler()) as url, SimulatedEms([ACCOUNT], url, api=Version.SOAP) as ems:
        assert ems.handler_url == url
