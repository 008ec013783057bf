"""The XML push face with a real journal behind it, without sockets; and its elements as bytes."""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from pydantic import SecretStr

from soap_handler.accounts.accounts import Accounts
from soap_handler.faces.base import Request
from soap_handler.faces.xml_push import XmlPush
from soap_handler.fast.usual_elements import UsualElements
from soap_handler.journal import Journal, Selection
from soap_handler.receive.receiver import Receiver
from soap_handler.settings import AccountSettings, PushCredentials, PushToken
from tests.support.quickly import assert_alike
from tests.support.wire import PASSWORD, REFERENCE, USERNAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from soap_handler.faces.base import Answer
    from soap_handler.notifications import Notification

GUID: Final = "a2b3c4d5-9999-4888-8777-666655554444"
"""The AccountId of the vendor's sample."""
MESSAGE_ID: Final = "8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5d"
NOTIFICATION_ID: Final = "0a1b2c3d-1111-4222-8333-444455556666"
TOKEN: Final = "Kx9_wuV.4d2~hQ-7pZ1s8TbN"
OLD_TOKEN: Final = "old-Kx9_wuV.4d2~hQ-7pZ1s8"

ACCOUNT: Final = AccountSettings(
    reference=REFERENCE,
    aliases=(GUID,),
    push=(PushCredentials(username=USERNAME, password=SecretStr(PASSWORD)),),
    push_tokens=(PushToken(token=SecretStr(TOKEN)), PushToken(token=SecretStr(OLD_TOKEN))),
    time_zone="America/New_York",
)

FIELDS: Final[dict[str, dict[str, str]]] = {
    "InboundMessage": {
        "Id": NOTIFICATION_ID,
        "MessageId": MESSAGE_ID,
        "AccountId": GUID,
        "MessageText": "Yes please",
        "From": "447700900123",
        "To": "447786204254",
    },
    "MessageDelivered": {
        "Id": NOTIFICATION_ID,
        "MessageId": MESSAGE_ID,
        "AccountId": GUID,
        "OccurredAt": "2014-08-02T16:28:42",
    },
    "MessageFailed": {
        "Id": NOTIFICATION_ID,
        "MessageId": MESSAGE_ID,
        "AccountId": GUID,
        "OccurredAt": "2014-08-02T16:28:42",
        "FailureReason": "<Code>27</Code><Detail>Off</Detail><PermanentFailure>false</PermanentFailure>",
    },
    "OptOut": {
        "Id": NOTIFICATION_ID,
        "AccountId": GUID,
        "AccountReference": REFERENCE,
        "ReceviedAt": "2014-08-02T16:28:42.123",
        "From": "<PhoneNumber>447700900123</PhoneNumber>",
    },
    "SubscriptionEvent": {
        "AccountId": GUID,
        "mobileNumber": "447700900123",
        "contactID": "c7",
        "eventCode": "Resubscribe",
        "occurredAt": "2014-08-02T16:28:42",
    },
}


def element(name: str, **changes: str | None) -> bytes:
    """Return an element of XML push with these values in the place of the usual ones; ``None`` leaves one out."""
    values = FIELDS[name] | changes
    inner = "".join(
        f"<{child}>{text if text.startswith('<') else escape(text)}</{child}>"
        for child, text in values.items()
        if text is not None
    )
    return f"<{name}>{inner}</{name}>".encode()


def basic(username: str = USERNAME, password: str = PASSWORD) -> str:
    """Return an Authorization header's value."""
    return f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"


@dataclass
class XmlService:
    """From a request's bytes to its row in the journal."""

    face: XmlPush
    receiver: Receiver
    journal: Journal
    path: Path
    """The journal's file."""

    def post(
        self, body: bytes, path: str = f"/push/{TOKEN}", authorization: str = "", content_type: str = ""
    ) -> Answer:
        request = Request(body, "127.0.0.1", content_type or "application/xml", path, authorization)
        exchange = self.face.prepare(request)
        if not exchange.answer.status.startswith("403"):  # which is counted
            assert_alike(UsualElements(self.receiver)([request])[0], exchange)
        if exchange.entry is not None:
            self.journal.record(exchange.entry)
        return exchange.answer

    def take(self, body: bytes, path: str = f"/push/{TOKEN}", authorization: str = "") -> Notification:
        """Post what must be confirmed; return what is in the journal for it."""
        answer = self.post(body, path, authorization)
        assert (answer.status, answer.body) == ("200 OK", b"OK"), answer
        return self.stored()[-1]

    def stored(self) -> list[Notification]:
        """Return everything in the journal, oldest first."""
        return [record.notification for record in sorted(self.journal.records(Selection()), key=lambda one: one.seq)]

    def kept(self) -> bytes | None:
        """Return the request that is kept with the latest notification."""
        with closing(sqlite3.connect(self.path)) as connection:
            query = "SELECT envelope FROM notification ORDER BY seq DESC LIMIT 1"
            ((envelope,),) = connection.execute(query).fetchall()
        return envelope if envelope is None else bytes(envelope)


@contextmanager
def opened(folder: Path, *accounts: AccountSettings) -> Iterator[XmlService]:
    """Open a service whose journal is in a folder."""
    path = folder / "journal.db"
    with Journal(f"sqlite:///{path}") as journal:
        receiver = Receiver(Accounts(accounts or [ACCOUNT]))
        yield XmlService(XmlPush(receiver), receiver, journal, path)
