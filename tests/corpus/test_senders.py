"""What the senders of the contract's section 4 make of a text, and that it comes back."""

from __future__ import annotations

import re
from html.entities import codepoint2name
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from soap_handler.faces.base import Request
from soap_handler.notifications import Kind, MessageReceived
from tests.corpus.messages import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.corpus.soap_service import SoapService

SETTINGS: Final = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

ODD: Final = st.sampled_from(
    "\0\x01\x08\t\n\x0b\x0c\r\x1b\x1f\x7f\x85<>&\"']\u20ac\ufffe\uffff\U0001f600\U0010fffd\u2401"
)
SCALARS: Final = st.text(ODD | st.characters(exclude_categories=["Cs"]), max_size=30)


def dot_net(text: str) -> bytes:
    """XmlTextWriter: what XML cannot hold becomes a numeric reference; a lone surrogate it refuses to write."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return CONTROL.sub(lambda match: f"&#x{ord(match[0]):X};", plain).encode()


def axis(text: str) -> bytes:
    """Axis 1.4: a reference for each UTF-16 unit beyond ASCII, and for white space; it refuses control characters."""
    named = {0x26: "&amp;", 0x3C: "&lt;", 0x3E: "&gt;", 0x22: "&quot;"}
    raw = text.encode("utf-16-be", "surrogatepass")
    units = (int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2))
    return "".join(
        named.get(unit) or (chr(unit) if 0x20 <= unit < 0x7F else f"&#x{unit:X};") for unit in units
    ).encode()


def php(text: str) -> bytes:
    """``htmlspecialchars`` in a template: the marks escaped, every other byte as it is."""
    return re.sub("[&<>\"']", lambda match: f"&#{ord(match[0])};", text).encode()


def php_entities(text: str) -> bytes:
    """``htmlentities``, which means HTML: names for letters that XML does not know."""
    return "".join(
        f"&{codepoint2name[ord(character)]};" if ord(character) in codepoint2name else character for character in text
    ).encode()


def normalised(text: str) -> str:
    """Return a text whose line ends went through an XML parser bare (XML, section 2.11)."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def sent(soap: SoapService, wire: bytes) -> MessageReceived:
    """Push a body as it is on the wire; return what is stored for it."""
    told = message(Kind.MESSAGE_RECEIVED, repr(wire)).with_content("body", wire)
    exchange = soap.endpoint.prepare(Request(told.bytes_(), "127.0.0.1", told.content_type))
    assert exchange.entry is not None, exchange.answer
    stored = exchange.entry.notification
    assert isinstance(stored, MessageReceived)
    assert (exchange.entry.envelope is not None) == bool(stored.repaired)
    return stored


@SETTINGS
@given(SCALARS)
@pytest.mark.parametrize("write", [dot_net, php])
def test_any_text_that_dot_net_or_php_can_write_comes_back(
    soap: SoapService, write: Callable[[str], bytes], text: str
) -> None:
    """Equal but for bare line ends; marked exactly where XML could not hold it."""
    stored = sent(soap, write(text))
    assert stored.body == normalised(text)
    assert stored.repaired == (("control character",) if CONTROL.search(text) else ())


@SETTINGS
@given(
    st.text(ODD | st.characters(), max_size=30).filter(lambda text: not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", text))
)
def test_any_text_that_axis_can_write_comes_back(soap: SoapService, text: str) -> None:
    """Half an emoji, which Java can hold, becomes U+FFFD and is marked; all else is equal."""
    stored = sent(soap, axis(text))
    assert stored.body == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    legal = not re.search("[\ud800-\udfff\U00010000-\U0010ffff\ufffe\uffff]", text)
    assert bool(stored.repaired) is not legal


@SETTINGS
@given(SCALARS)
def test_the_entities_of_html_come_back(soap: SoapService, text: str) -> None:
    """PHP's ``htmlentities`` is read as it is meant, and marked where XML does not know the name."""
    stored = sent(soap, php_entities(text))
    assert stored.body == normalised(text)
    foreign = any(ord(character) in codepoint2name and character not in '&<>"' for character in text)
    assert ("named entity" in stored.repaired) == foreign


@SETTINGS
@given(
    st.text(st.sampled_from(bytes({*range(0xA0, 0x100)} - {0xED}).decode("latin-1") + "\u20ac\u2019 aZ"), max_size=30)
)
@example("\u00c0\u20ac\u00c2\u00a0")  # in part also how Java writes a NUL
def test_one_byte_texts_under_the_label_utf_8_come_back_marked(soap: SoapService, text: str) -> None:
    """Classic ASP and PHP send windows-1252 and say UTF-8. What happens to be valid UTF-8 cannot be told."""
    wire = text.encode("cp1252")
    stored = sent(soap, wire)
    valid = wire.decode("utf-8", "ignore").encode() == wire
    partly = any(ord(character) > 0x7F for character in wire.decode("utf-8", "ignore"))
    assert stored.body == text or valid or partly
    assert valid or "encoding" in stored.repaired


@SETTINGS
@given(st.binary(max_size=40))
def test_any_bytes_in_a_body_are_stored_or_refused_by_a_fault(soap: SoapService, wire: bytes) -> None:
    """Raw bytes of any kind: a row, or a fault that blames the caller, and never one that blames us."""
    told = message(Kind.MESSAGE_RECEIVED, repr(wire)).with_content("body", wire)
    answer = soap.post(told.bytes_(), told.content_type)
    assert b"Response" in answer.body or b"<faultcode>soap:Client</faultcode>" in answer.body
