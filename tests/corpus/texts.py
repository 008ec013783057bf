"""Texts that XML cannot hold, or that their senders wrote wrongly, in every element that holds a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from soap_handler.notifications import FailureReason, Kind
from tests.corpus.messages import FIELDS, Message, element, message, repaired_as

if TYPE_CHECKING:
    from collections.abc import Iterator

ESCAPE: Final = "\U0010fffd"  # with which the reader itself escapes

TEXT_FIELDS: Final = (
    (Kind.MESSAGE_RECEIVED, "originator"),
    (Kind.MESSAGE_RECEIVED, "recipient"),
    (Kind.MESSAGE_RECEIVED, "body"),
    (Kind.MESSAGE_ERROR, "detail"),
    (Kind.MESSAGE_ERROR, "failurereason"),
    (Kind.SUBSCRIPTION_EVENT, "mobileNumber"),
    (Kind.SUBSCRIPTION_EVENT, "contactID"),
)

# What is between the tags, what it means, the marks of repairs.
TEXTS: Final[dict[str, tuple[bytes, str, tuple[str, ...]]]] = {
    ".NET escape": (b"a&#x1B;b", "a\x1bb", ("control character",)),
    ".NET form feed": (b"a&#xC;b", "a\x0cb", ("control character",)),
    "decimal control": (b"&#1;", "\x01", ("control character",)),
    "padded control": (b"a&#x000000000b;", "a\x0b", ("control character",)),
    "NUL reference": (b"a&#0;b", "a\0b", ("control character",)),
    "noncharacter reference": (b"a&#xFFFE;b&#xFFFF;", "a\ufffeb\uffff", ("control character",)),
    "raw control": (b"a\x01b", "a\x01b", ("control character",)),
    "raw escape": (b"\x1b<![CDATA[\x0c]]>", "\x1b\x0c", ("control character",)),
    "raw NUL": (b"a\0b", "a\0b", ("control character",)),
    "raw noncharacter": (b"a\xef\xbf\xbfb", "a\uffffb", ("control character",)),
    "Axis emoji": (b"&#xD83D;&#xDE00;", "\U0001f600", ("surrogate pair",)),
    "decimal emoji": (b"x&#55357;&#56832;y", "x\U0001f600y", ("surrogate pair",)),
    "high surrogate": (b"a&#xD83D;b", "a\ufffdb", ("lone surrogate",)),
    "low surrogate": (b"a&#xDE00;b", "a\ufffdb", ("lone surrogate",)),
    "swapped surrogates": (b"&#xDE00;&#xD83D;", "\ufffd\ufffd", ("lone surrogate",)),
    "surrogates apart": (b"&#xD83D; &#xDE00;", "\ufffd \ufffd", ("lone surrogate",)),
    "Java emoji": (b"\xed\xa0\xbd\xed\xb8\x80", "\U0001f600", ("surrogate pair",)),
    "Java half emoji": (b"a\xed\xa0\xbdb", "a\ufffdb", ("encoding",)),
    "Java NUL": (b"a\xc0\x80b", "a\0b", ("encoding", "control character")),
    "Latin-1 letter": (b"Jos\xe9", "Jos\u00e9", ("encoding",)),
    "windows-1252 euro": (b"5 \x80", "5 \u20ac", ("encoding",)),
    "cut UTF-8": (b"\xe2\x82\xac 5 \xe2\x82", "\u20ac 5 \ufffd\ufffd", ("encoding",)),
    "overlong UTF-8": (b"\xc3\xa9\xc1\xa1", "\u00e9\ufffd\ufffd", ("encoding",)),
    "PHP entity": (b"Jos&eacute;&nbsp;&euro;", "Jos\u00e9\u00a0\u20ac", ("named entity",)),
    "unknown entity": (b"&nothing;", "&nothing;", ("unescaped character",)),
    "bare ampersand": (b"R&D & Q&A", "R&D & Q&A", ("unescaped character",)),
    "bare less-than": (b"I <3 you < me", "I <3 you < me", ("unescaped character",)),
    "bare section end": (b"a]]>b", "a]]>b", ("unescaped character",)),
    "broken reference": (b"&#xZZ;&#;&#12", "&#xZZ;&#;&#12", ("unescaped character",)),
    "reference to no character": (b"&#x110000;", "&#x110000;", ("unescaped character",)),
    "endless reference": (b"&#" + b"9" * 5000 + b";", "&#" + "9" * 5000 + ";", ("unescaped character",)),
    "reference in a section": (b"\x02<![CDATA[&#1;&amp;]]>", "\x02&#1;&amp;", ("control character",)),
    "our own escape": (f"{ESCAPE}\u2401\x01{ESCAPE}".encode(), f"{ESCAPE}\u2401\x01{ESCAPE}", ("control character",)),
    "our own escape, referred to": (b"&#x10FFFD;A&#1;", f"{ESCAPE}A\x01", ("control character",)),
    "our own escape in halves": (b"&#xDBFF;&#xDFFD;A", f"{ESCAPE}A", ("surrogate pair",)),
    "our own escape alone": (ESCAPE.encode() + b"A", f"{ESCAPE}A", ()),
    "legal references beside": (b"&#xD;&#10;&#9;&#60;&lt;\x03", "\r\n\t<<\x03", ("control character",)),
    "markup": (b"a<b>b</b>c", "abc", ("markup in a value",)),
    "comment and control": (b"a<!-- \x01 -- -->b<?p \x02?>\x04", "ab\x04", ("control character",)),
    "nothing but a comment that is none": (b"a<!-- a -- b -->b", "ab", ("markup",)),
}  # fmt: skip


def wrong_texts() -> Iterator[tuple[str, Message]]:
    for kind, name in TEXT_FIELDS:
        for case, (wire, value, repaired) in TEXTS.items():
            told = message(kind, f"{name} {case}").with_content(
                name, _reason(wire) if name == "failurereason" else wire
            )
            meant: Any = FailureReason(1, value, permanent_failure=True) if name == "failurereason" else value
            yield f"{kind}.{name}: {case}", repaired_as(told, *repaired, **{FIELDS[kind][name]: meant})


def _reason(description: bytes) -> bytes:
    return element("code", b"1") + element("description", description) + element("permanentfailure", b"1")
