"""XML push through the whole service: the vendor's sample byte for byte, beside SOAP, and its addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.notifications import MessageReceived, MessageType
from soap_handler.settings import ServerSettings
from tests.corpus import SAMPLES
from tests.faces.xml_push.xml_service import ACCOUNT, GUID, MESSAGE_ID, NOTIFICATION_ID, TOKEN, basic, element
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import REFERENCE, Connection, request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAMPLE = (SAMPLES / "InboundMessage.xml").read_bytes()
AS_XML = "Content-Type: application/xml"
EXPECTED = MessageReceived(
    account=REFERENCE,
    id=MESSAGE_ID,
    originator="447700900123",
    recipient="447786204254",
    body="Yes please",
    type=MessageType(""),
    notification_id=NOTIFICATION_ID,
)


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Service]:
    settings = settings_for(tmp_path)
    with serving(settings.model_copy(update={"account": (ACCOUNT, settings.account[1])})) as service:
        yield service


def test_the_sample_reaches_the_handler_once_also_where_soap_brings_it_too(both: Service) -> None:
    """200 for each, right values, and one run of the handler for one message."""
    for _ in range(2):
        answer = both.post(SAMPLE, AS_XML, path=f"/push/{TOKEN}")
        assert (answer.status, answer.body) == (200, b"OK")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert both.post((SAMPLES / "MessageReceived.xml").read_bytes()).confirms
    wait_for(lambda: both.handled)
    both.stop()
    assert both.handled == [EXPECTED]


def test_all_kinds_at_their_addresses(both: Service) -> None:
    """``/push`` takes any kind, and so does every address below it; on one connection as well."""
    with Connection(both.port) as connection:
        for number, name in enumerate(("InboundMessage", "MessageDelivered", "MessageFailed", "OptOut")):
            for path in ("/push", "/Push/", f"/push/{name}", f"/push/{TOKEN}/{name}"):
                head = () if TOKEN in path else (f"Authorization: {basic()}",)
                body = element(name, Id=NOTIFICATION_ID[:-1] + str(number))
                answer = connection.ask(request(body, AS_XML, *head, start=f"POST {path} HTTP/1.1"))
                assert (answer.status, answer.body) == (200, b"OK")
    assert sum(both.app.journal.counts().values()) == 4


def test_what_is_refused(both: Service) -> None:
    """Wrong secrets 403, what is not understood 400, also by the server itself; nothing is stored."""
    large = b"<InboundMessage>" + b" " * 300_000 + b"</InboundMessage>"
    answers = [
        both.post(SAMPLE, AS_XML, path="/push/wrong-wrong-wrong-wrong"),
        both.post(SAMPLE, AS_XML, path="/push"),
        both.post(SAMPLE.replace(GUID.encode(), b"unknown"), AS_XML, path="/push/wrong-wrong-wrong-wrong"),
        both.post(b"<nothing/>", AS_XML, path=f"/push/{TOKEN}"),
        both.post(large, AS_XML, path=f"/push/{TOKEN}"),
    ]
    assert [answer.status for answer in answers] == [403, 403, 403, 400, 400]
    assert {answer.headers["content-type"] for answer in answers} == {"text/plain; charset=utf-8"}
    assert sum(both.app.journal.counts().values()) == 0


def test_nothing_is_at_addresses_that_only_begin_alike(both: Service) -> None:
    """``/pushed`` is not below ``/push``."""
    assert both.post(SAMPLE, AS_XML, path=f"/pushed/{TOKEN}").status == 404


def test_an_anonymous_account_with_a_list_of_callers(tmp_path: Path) -> None:
    """The addresses of EMS stand for its credentials."""
    anonymous = ACCOUNT.model_copy(update={"push": (), "push_tokens": (), "anonymous": True})
    for network, status in (("127.0.0.1", 200), ("192.0.2.0/24", 403)):
        folder = tmp_path / str(status)
        folder.mkdir()
        server = ServerSettings.model_validate({"port": 0, "allow_from": [network]})
        settings = settings_for(folder, server=server).model_copy(update={"account": (anonymous,)})
        with serving(settings) as service:
            assert service.post(SAMPLE, AS_XML, path="/push/inbound").status == status
