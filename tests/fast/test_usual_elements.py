"""Batch reading of XML push against the general way: the same notification, or left to the general way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soap_handler.accounts.accounts import Accounts
from soap_handler.faces.base import Request
from soap_handler.faces.xml_push import XmlPush
from soap_handler.fast.usual_elements import UsualElements
from soap_handler.notifications import MessageReceived
from soap_handler.receive.receiver import Receiver
from tests.corpus import SAMPLES
from tests.faces.xml_push.xml_service import ACCOUNT, GUID, MESSAGE_ID, TOKEN, basic, element

NOW: Final = datetime(2026, 3, 2, tzinfo=UTC)
RECEIVER: Final = Receiver(Accounts([ACCOUNT]), now=lambda: NOW)
GENERAL: Final = XmlPush(RECEIVER)
QUICK: Final = UsualElements(RECEIVER, now=lambda: NOW)
PATH: Final = f"/push/{TOKEN}"

ROOTS: Final = st.sampled_from(
    ["InboundMessage", "MessageDelivered", "MessageFailed", "OptOut", "SubscriptionEvent", "inboundmessage", "Letter"]
)
NAMES: Final = st.sampled_from(
    [
        "Id",
        "MessageId",
        "AccountId",
        "AccountReference",
        "MessageText",
        "From",
        "To",
        "OccurredAt",
        "FailureReason",
        "x",
    ]
)
TEXTS: Final = st.sampled_from(
    [
        *("", " ", MESSAGE_ID, GUID, "2014-08-02T16:28:42", " 0001-01-01T00:00:00 ", "Größe 😀", "a\r\nb", "\x0c"),
        *(
            "&amp;",
            "a &lt;3 &quot;b&apos; &amp;lt; &gt;",
            "&#233;",
            "&eacute;",
            "&",
            "<b/>",
            "]]>",
            ">",
            "\ufffe",
            "\x85",
            "\ufeff",
            "\U0010fffd",
            "\x1b",
        ),
    ]
)
GAPS: Final = st.sampled_from(["", "", "", " ", "\n\t", "\r\n", "\x0b", "x", "<!-- -->", "<?x?>"])
CHILDREN: Final = st.lists(st.tuples(GAPS, NAMES, TEXTS), max_size=7).map(
    lambda children: "".join(f"{gap}<{name}>{text}</{name}>" for gap, name, text in children)
)
DECLARED: Final = '<?xml version="1.0" encoding="utf-8"?>'
HEADS: Final = st.sampled_from(
    ["", "", " ", "\ufeff", "\x0c", DECLARED, f" {DECLARED}", f"{DECLARED}\r\n", DECLARED.replace("utf-8", "latin-1")]
)
BODIES: Final = st.tuples(HEADS, ROOTS, CHILDREN, GAPS, GAPS).map(
    lambda parts: f"{parts[0]}<{parts[1]}>{parts[2]}{parts[3]}</{parts[1]}>{parts[4]}".encode()
)
USUAL: Final = [(SAMPLES / "InboundMessage.xml").read_bytes(), element("InboundMessage"), element("MessageDelivered")]


def read_both(body: bytes, content_type: str = "application/xml", path: str = PATH, authorization: str = "") -> bool:
    """Read by both ways; return whether the quick one took it."""
    request = Request(body, "127.0.0.1", content_type, path, authorization)
    (quick,) = QUICK([request])
    if quick is not None:
        assert quick == GENERAL.prepare(request)
    return quick is not None and quick.entry is not None


@settings(deadline=None)
@given(BODIES, st.sampled_from(["", "application/xml", "text/xml; charset=utf-8", "text/xml; charset=iso-8859-1"]))
@example(USUAL[0], "application/xml")
def test_it_says_the_same_or_nothing(body: bytes, content_type: str) -> None:
    """Whatever the bytes, and whatever charset the header names."""
    read_both(body, content_type)


@pytest.mark.parametrize("body", USUAL)
def test_usual_requests_are_taken(body: bytes) -> None:
    """By a token, and by HTTP Basic."""
    assert read_both(body)
    assert read_both(body, path="/push/inbound", authorization=basic())
    assert read_both(body.replace(b"><", b">\n  <"))
    assert read_both(b'<?xml version="1.0" encoding="utf-8"?>\r\n' + body)


def test_references_by_name_are_taken() -> None:
    """One text in ten has an ampersand: it must not cost the general way."""
    body = element("InboundMessage", MessageText="a <3 \"b' &lt; >").replace(b"'", b"&apos;")
    assert read_both(body)
    (quick,) = QUICK([Request(body, "127.0.0.1", "", PATH)])
    assert quick is not None
    assert quick.entry is not None
    assert isinstance(quick.entry.notification, MessageReceived)
    assert quick.entry.notification.body == "a <3 \"b' &lt; >"


@pytest.mark.parametrize(
    "body", [USUAL[0].replace(GUID.encode(), b"unknown"), element("OptOut"), b"", b"\xff", USUAL[0] + b" " * 20_000]
)
def test_others_are_left_to_the_general_way(body: bytes) -> None:
    """Wrong secrets are refused as there."""
    assert not read_both(body)
    assert not read_both(USUAL[0], path="/push/wrong-wrong-wrong-wrong")
    assert not read_both(USUAL[0], authorization=basic("ems", "guess"))


def test_each_request_of_a_batch_is_its_own() -> None:
    """One of a batch that is left out does not shift the others, and a right secret proves nothing for a wrong one."""
    right, wrong = (Request(USUAL[0], "127.0.0.1", "", path) for path in (PATH, "/push/wrong-wrong-wrong-wrong"))
    odd = Request(b"<a/>", "127.0.0.1", "", PATH)
    taken = QUICK([wrong, right, odd, right, wrong])
    assert taken[2] is None
    assert [bool(each and each.entry) for each in taken] == [False, True, False, True, False]
