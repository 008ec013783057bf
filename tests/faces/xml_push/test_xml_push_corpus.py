"""Bytes of every kind sent to the XML push face: each gets an answer in its own form, and none breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soap_handler.accounts.accounts import Accounts
from soap_handler.errors import JournalUnavailableError
from soap_handler.faces.base import Request
from soap_handler.faces.xml_push import XmlPush
from soap_handler.receive.receiver import Receiver
from soap_handler.xml.parser import Limits
from tests.corpus import SAMPLES
from tests.corpus.cases import CASES
from tests.faces.xml_push.xml_service import ACCOUNT, FIELDS, TOKEN, element
from tests.support.events import captured_events
from tests.support.naming import naming

if TYPE_CHECKING:
    from soap_handler.faces.base import Answer, Exchange

FACE: Final = XmlPush(Receiver(Accounts([ACCOUNT])), Limits(depth=8))
PATH: Final = f"/push/{TOKEN}"
PIECES: Final = (
    *(element(name) for name in FIELDS),
    *(b"<InboundMessage>", b"</InboundMessage>", b"<From/>", b"<From><From>", b"&#x1B;", b"&#xD83D;", b"&e;", b"<!--"),
    *(
        b"<![CDATA[",
        b"]]>",
        b"<?x?>",
        b"\xff\xfe",
        b"\0",
        b'<OptOut xmlns:a="b" a:c="d">',
        b"</OptOut>",
        b"<FailureReason>",
    ),
)


def prepared(body: bytes, content_type: str = "text/xml; charset=utf-8") -> Exchange:
    with captured_events() as events:
        exchange = FACE.prepare(Request(body, "127.0.0.1", content_type, PATH))
    assert [event for event in events if event["event"] == "request_failed"] == []
    assert_proper(exchange.answer)
    assert (exchange.entry is None) == (not exchange.answer.status.startswith("200"))
    return exchange


def assert_proper(answer: Answer) -> None:
    """Check: a short plain text under one of four codes that tells nothing of our insides or of people."""
    assert answer.status.split()[0] in {"200", "400", "403", "503"}
    assert answer.content_type == "text/plain; charset=utf-8"
    assert 2 <= len(answer.body) < 160
    told = answer.body.decode().lower()
    assert [
        word for word in (TOKEN, "447700900123", "lxml", ".py", "traceback", "sqlite") if word.lower() in told
    ] == []


def test_requests_of_soap_are_refused_in_words() -> None:
    """A SOAP envelope is no element of XML push, however odd it is. One operation without an envelope is one."""
    for case in CASES:
        with naming(case.id):
            exchange = prepared(case.body, case.content_type)
            is_element = case.id == "SubscriptionEvent: no envelope"
            assert exchange.answer.status == ("200 OK" if is_element else "400 Bad Request")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"<InboundMessage>", "not well-formed"),
        (b"<Letter/>", "expected one of InboundMessage, MessageDelivered, MessageFailed, OptOut, SubscriptionEvent"),
        (b'<!DOCTYPE a [<!ENTITY e "x">]><InboundMessage>&e;</InboundMessage>', "document type"),
        (b"<InboundMessage>" + b"<a>" * 9 + b"</a>" * 9 + b"</InboundMessage>", "nested too deeply"),
        ((SAMPLES / "MessageReceived.form").read_bytes(), "not well-formed"),
    ],
)
def test_what_is_refused_is_told_why(body: bytes, words: str) -> None:
    """For the person who set it up, in one sentence."""
    assert words in prepared(body).answer.body.decode()


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=6).map(b"".join))
def test_no_bytes_break_it(body: bytes) -> None:
    """Whatever comes gets an answer, and no defect of ours is behind it."""
    prepared(body)


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_or_address_breaks_it(path: str, authorization: str) -> None:
    """Nor do odd characters in them."""
    assert_proper(FACE.prepare(Request(element("OptOut"), "?", "", path, authorization)).answer)


def test_what_was_not_stored_is_asked_for_again() -> None:
    """503 for a journal that is out of reach, 500 for a defect, which is logged without its message."""
    assert FACE.not_stored(JournalUnavailableError("secret")).status == "503 Service Unavailable"
    with captured_events() as events:
        answer = FACE.not_stored(KeyError("447700900123"))
    assert answer == FACE.failed()
    assert answer.status == "500 Internal Server Error"
    assert [event["event"] for event in events] == ["request_failed"]
    assert "447700900123" not in repr(events)
