"""Values as they really come (contract, section 4), from the socket to the handler."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soap_handler.contract import NAMESPACE
from soap_handler.notifications import ZERO_ID, FailureReason, MessageError, MessageReceived
from tests.support.wire import NUMBER, elements, envelope, header, message, operation

if TYPE_CHECKING:
    from tests.support.service import Service

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'


EMOJI = "\U0001f600 \u00e9 \u20ac \u4f60\u597d \U0001f468\u200d\U0001f469\u200d\U0001f467"


def new_id() -> str:
    return str(uuid.uuid4())


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type] # year to microsecond, as many as are given


@pytest.mark.parametrize(
    ("name", "parameter", "text", "attribute", "value"),
    [
        ("MessageReceived", "sentat", "2008-06-12T10:15:30.1234567Z", "sent_at", utc(2008, 6, 12, 10, 15, 30, 123456)),
        ("MessageReceived", "sentat", "2008-06-12T10:15:30.0000000Z", "sent_at", utc(2008, 6, 12, 10, 15, 30)),
        ("MessageReceived", "sentat", "2008-06-12T10:15:30.1Z", "sent_at", utc(2008, 6, 12, 10, 15, 30, 100000)),
        ("MessageReceived", "sentat", "2008-06-12T00:45:30-09:30", "sent_at", utc(2008, 6, 12, 10, 15, 30)),
        ("MessageReceived", "receivedat", "2008-06-12T10:15:30", "received_at", utc(2008, 6, 12, 9, 15, 30)),
        ("MessageReceived", "receivedat", "2008-12-12T10:15:30", "received_at", utc(2008, 12, 12, 10, 15, 30)),
        ("MessageReceived", "receivedat", "\n 2008-06-12T10:15:30Z ", "received_at", utc(2008, 6, 12, 10, 15, 30)),
        ("MessageReceived", "sentat", "0001-01-01T00:00:00", "sent_at", None),
        ("MessageReceived", "sentat", "0001-01-01T00:00:00.0000000Z", "sent_at", None),
        ("MessageReceived", "sentat", "yesterday", "sent_at", None),
        ("MessageReceived", "sentat", "2008-02-30T00:00:00Z", "sent_at", None),
        ("MessageReceived", "sentat", "", "sent_at", None),
        ("MessageReceived", "body", "", "body", ""),
        ("MessageReceived", "body", "  two  spaces\n\tand a tab ", "body", "  two  spaces\n\tand a tab "),
        ("MessageReceived", "body", "   ", "body", "   "),
        ("MessageReceived", "body", "a\r\nb\rc", "body", "a\r\nb\rc"),
        ("MessageReceived", "body", EMOJI, "body", EMOJI),
        ("MessageReceived", "body", "<script>&amp;</script> ]]>", "body", "<script>&amp;</script> ]]>"),
        ("MessageReceived", "originator", "Pizza Palace", "originator", "Pizza Palace"),
        ("MessageReceived", "originator", "", "originator", ""),
        ("MessageReceived", "type", "Binary", "type", "Binary"),
        ("MessageReceived", "type", " SmartMessage\n", "type", "SmartMessage"),
        ("MessageReceived", "type", "Hologram", "type", "Hologram"),
        ("MessageEvent", "eventtype", "Read", "event_type", "Read"),
        ("MessageError", "errortype", "Lost in space", "error_type", "Lost in space"),
        ("MessageError", "detail", "", "detail", ""),
        ("SubscriptionEvent", "eventCode", "Pause", "event_code", "Pause"),
        ("SubscriptionEvent", "contactID", "C-17", "contact_id", "C-17"),
    ],
)  # fmt: skip
def test_a_value_comes_out_as_it_went_in(  # noqa: PLR0917 - a table's columns
    shared: Service, name: str, parameter: str, text: str, attribute: str, value: object
) -> None:
    """Times become UTC or nothing, texts stay as they are, unknown values of enumerations are kept."""
    identity = {"mobileNumber": new_id()} if name == "SubscriptionEvent" else {"id": new_id()}
    told = shared.take(message(name, **identity | {parameter: text}))
    assert getattr(told, attribute) == value


@pytest.mark.parametrize(
    "text", ["yesterday", "2008-02-30T00:00:00Z", "2008-06-12T24:30:00Z", "2008-06-12T10:15:30+99:99"]
)
def test_an_unreadable_time_is_kept_as_text_and_marked(shared: Service, text: str) -> None:
    """What we can store gets no fault: EMS would push it for three days, and then it would be lost."""
    told = shared.take(message(id=new_id(), sentat=text))
    assert isinstance(told, MessageReceived)
    assert (told.sent_at, told.original, told.repaired) == (None, {"sent_at": text}, ("sent_at unreadable",))


def test_what_was_guessed_keeps_its_text(shared: Service) -> None:
    """A time without a zone is read in the account's, and the provider's text goes with it."""
    told = shared.take(message(id=new_id(), sentat="2008-06-12T10:15:30"))
    assert isinstance(told, MessageReceived)
    assert (told.original, told.repaired) == ({"sent_at": "2008-06-12T10:15:30"}, ())


def test_an_id_is_compared_in_lower_case(shared: Service) -> None:
    """A GUID may come in either case; both are one message."""
    identity = new_id()
    told = shared.take(message(id=f" {identity.upper()}\n"))
    assert isinstance(told, MessageReceived)
    assert told.id == identity
    known = sum(shared.app.journal.counts().values())
    assert shared.post(message(id=identity)).confirms
    assert sum(shared.app.journal.counts().values()) == known


@pytest.mark.parametrize("identity", ["", ZERO_ID])
def test_messages_without_an_id_are_told_apart_by_their_content(shared: Service, identity: str) -> None:
    """The all-zero GUID means "none": two different messages with it are two messages."""
    first = shared.take(message(id=identity, body=new_id()))
    second = shared.take(message(id=identity, body=new_id()))
    assert first.key != second.key


def good(identity: str) -> MessageReceived:
    """Return what a good message with the defaults becomes."""
    return MessageReceived(
        account="EX0012345",
        id=identity,
        originator="447700900123",
        recipient=NUMBER,
        body="Yes please",
        sent_at=utc(2008, 6, 12, 9, 15, 30),
        received_at=utc(2008, 6, 12, 9, 15, 31),
    )


def values(identity: str, **others: str) -> dict[str, str]:
    return {
        "id": identity,
        "originator": "447700900123",
        "recipient": NUMBER,
        "body": "Yes please",
        "type": "Text",
        "sentat": "2008-06-12T09:15:30Z",
        "receivedat": "2008-06-12T09:15:31Z",
    } | others


SHAPES: dict[str, Any] = {
    "in another order": lambda all_: elements(dict(reversed(all_.items()))),
    "with unknown elements": lambda all_: "<priority>1</priority>" + elements(all_) + "<new><body>no</body></new>",
    "with unknown elements of another namespace": lambda all_: '<body xmlns="urn:x">no</body>' + elements(all_),
    "with types": lambda all_: "".join(
        f'<{name} xsi:type="xsd:string" {XSI}>{text}</{name}>' for name, text in all_.items()
    ),
    "indented": lambda all_: "\n\t  ".join(["", *(elements({name: text}) for name, text in all_.items()), ""]),
    "with comments": lambda all_: elements(all_).replace("Yes please", "Yes<!-- no --> <?no no?>please"),
    "in sections": lambda all_: elements(all_).replace("Yes please", "<![CDATA[Yes ]]>plea<![CDATA[se]]>"),
    "with references": lambda all_: elements(all_).replace("Yes please", "&#x59;es&#32;please"),
    "with stray markup": lambda all_: elements(all_).replace("Yes please", "<b>Yes</b> <i>plea<u>se</u></i>"),
    "repeated": lambda all_: elements(all_) + "<body>no</body>",
    "without a namespace": lambda all_: "".join(f'<{name} xmlns="">{text}</{name}>' for name, text in all_.items()),
    "with prefixes": lambda all_: "".join(
        f'<m:{name} xmlns:m="{NAMESPACE}">{text}</m:{name}>' for name, text in all_.items()
    ),
}


NOTED = {
    "with unknown elements of another namespace": ("repeated element", "namespace"),
    "with stray markup": ("markup in a value",),
    "repeated": ("repeated element",),
    "without a namespace": ("namespace",),
}


UNUSUAL = {"with unknown elements of another namespace", "with stray markup", "repeated", "without a namespace"}
"""Shapes in which something may be noted as repaired."""


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shape_of_the_xml_does_not_matter(shared: Service, shape: str) -> None:
    """Order, prefixes, types, white space, comments, sections and unknown elements change no value."""
    identity = new_id()
    told = shared.take(envelope(operation(inner=SHAPES[shape](values(identity)))))
    assert told == replace(good(identity), repaired=NOTED.get(shape, ()))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_the_encoding_does_not_matter(shared: Service, encoding: str) -> None:
    """A byte-order mark, UTF-16 and what the XML declaration and the Content-Type say are understood."""
    identity = new_id()
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    text = message(id=identity, body="Jos\u00e9").decode().replace('encoding="utf-8"', f'encoding="{declared}"')
    told = shared.take(text.encode(encoding), f"Content-Type: text/xml; charset={declared}")
    assert told == replace(good(identity), body="Jos\u00e9")


def test_absent_values_are_noted_and_stored(shared: Service) -> None:
    """An operation of which one element came is stored all the same, with what it lacks."""
    identity = new_id()
    told = shared.take(envelope(operation(inner=f"<id>{identity}</id>")))
    assert isinstance(told, MessageReceived)
    assert (told.id, told.body, told.type, told.sent_at) == (identity, "", "", None)
    assert told.repaired == ("type missing", "sent_at missing", "received_at missing")


def test_the_vendors_misspelling_of_occurredat_is_read(shared: Service) -> None:
    """The vendor's own pages write ``occuredat``, so it may come."""
    inner = f"<id>{new_id()}</id><eventtype>Delivered</eventtype><occuredat>2008-06-12T10:16:02Z</occuredat>"
    told = shared.take(envelope(operation("MessageEvent", inner)))
    assert getattr(told, "occurred_at", None) == utc(2008, 6, 12, 10, 16, 2)


@pytest.mark.parametrize(
    ("members", "reason", "repaired"),
    [
        (
            "<code>27</code><description>Off</description><permanentfailure>true</permanentfailure>",
            FailureReason(27, "Off", permanent_failure=True),
            (),
        ),
        (
            "<permanentfailure>0</permanentfailure><description> </description><code> -1 </code>",
            FailureReason(-1, " ", permanent_failure=False),
            (),
        ),
        (
            "<code>many</code><permanentfailure>maybe</permanentfailure>",
            FailureReason(),
            ("code unreadable", "permanent_failure unreadable"),
        ),
        ("", None, ()),
        (None, None, ()),
    ],
)
def test_a_failure_reason_is_read_or_left_out(
    shared: Service, members: str | None, reason: FailureReason | None, repaired: tuple[str, ...]
) -> None:
    """It is a reference type, so it may be absent; what is unreadable in it is kept as text."""
    rest = elements({"id": new_id(), "errortype": "Failed", "occurredat": "2008-06-13T10:16:02Z", "detail": "x"})
    inner = "" if members is None else f"<failurereason>{members}</failurereason>"
    told = shared.take(envelope(operation("MessageError", rest + inner)))
    assert isinstance(told, MessageError)
    assert (told.failure_reason, told.repaired) == (reason, repaired)


def test_a_time_without_zone_is_in_the_zone_of_its_own_account(shared: Service) -> None:
    """The zone is a setting for each account, since it is documented nowhere."""
    body = operation(id=new_id(), sentat="2008-06-12T10:15:30")
    told = shared.take(envelope(body, header("other", "an0ther-word", "EX0067890")))
    assert (told.account, getattr(told, "sent_at", None)) == ("EX0067890", utc(2008, 6, 12, 10, 15, 30))


XML_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r\x85 <>&\"']"),
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(XML_TEXT)
def test_any_text_that_xml_can_carry_comes_back_equal(shared: Service, text: str) -> None:
    """White space, emoji, markup characters and carriage returns (as references) survive in a body."""
    told = shared.take(message(id=new_id(), body=text))
    assert isinstance(told, MessageReceived)
    assert (told.body, told.repaired) == (text, ())


def test_a_bare_carriage_return_becomes_a_line_feed(shared: Service) -> None:
    """So XML demands (section 2.11); a sender that means one writes ``&#13;``."""
    told = shared.take(message(id=new_id(), body="@").replace(b"@", b"a\r\nb\rc"))
    assert isinstance(told, MessageReceived)
    assert told.body == "a\nb\nc"
