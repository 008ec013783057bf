"""Form posts as bytes, and a client that sends them. No service is started here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from tests.support.wire import NUMBER, PASSWORD, REFERENCE, USERNAME, ask, request

if TYPE_CHECKING:
    from tests.support.wire import Answer

FORM_PATH: Final = "/AccountEventHandler.aspx"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
LOGIN: Final = {"username": USERNAME, "password": PASSWORD, "account": REFERENCE}

FORMS: Final[dict[str, dict[str, str]]] = {
    "MessageReceived": {
        "id": "c9b1ed7b-2ad2-4b45-85cf-63f430aab76a",
        "originator": "447700900123",
        "recipient": NUMBER,
        "body": "Test & t\u00e9st",
        "type": "Text",
        "sentAt": "2014-08-02 16:28:42Z",
        "receivedAt": "2014-08-02 16:28:43Z",
    },
    "MessageEvent": {
        "id": "1f0a7f6e-0c57-4b8e-9a57-5d7c2f1f8f10",
        "eventType": "Delivered",
        "occurredAt": "2014-08-02 16:28:42Z",
    },
    "MessageError": {
        "id": "5b9f5a51-6b4c-4b0f-8a3a-0a9d8f7e6c55",
        "errorType": "ValidityPeriodExpired",
        "occurredAt": "2014-08-02 16:28:42Z",
        "detail": "It expired",
    },
    "SubscriptionEvent": {
        "mobileNumber": "447700900123",
        "contactID": "",
        "eventType": "Unsubscribe",
        "occurredAt": "2014-08-02 16:28:42Z",
    },
}


def values(name: str = "MessageReceived", **changed: str) -> dict[str, str]:
    """Return the fields of a good form, with these in the place of the defaults."""
    return {**LOGIN, "notificationType": name, **FORMS[name], **changed}


def form(name: str = "MessageReceived", **changed: str) -> bytes:
    """Return a good form with these values in the place of the defaults."""
    return urlencode(values(name, **changed)).encode()


def post_form(
    port: int, body: bytes, *headers: str, path: str = FORM_PATH, content_type: str | None = FORM_TYPE
) -> Answer:
    """Post a form as EMS does, and read the answer."""
    said = f"Content-Type: {content_type}" if content_type is not None else "Content-Type:"
    return ask(port, request(body, said, *headers, start=f"POST {path} HTTP/1.1"))
