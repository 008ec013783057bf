"""What one accident must not decide: prefixes, stray bytes, a ``<`` in a text, times that XML Schema does not know."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from soap_handler.contract import NAMESPACE
from soap_handler.notifications import Kind
from tests.corpus.messages import FIELDS, HEADER, XSI, Message, element, message, repaired_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LATIN: Final = "text/xml; charset=iso-8859-1"
TEXT_FIELDS: Final = ((Kind.MESSAGE_RECEIVED, "body"), (Kind.MESSAGE_ERROR, "detail"))
GERMAN: Final = "\u201eViel Spa\u00df\u201c w\u00fcnscht M\u00fcller"
FRENCH: Final = "\u00ab\u00c9T\u00c9\u00bb \u00e0 5\u20ac"
SPANISH: Final = "Se\u00f1or \u201c\u00d1\u201d"
QUOTED: Final = "\u201cyes\u201d \u2013 5 \u20ac\u2026"

# Bytes under the label UTF-8, what they mean, the marks of repairs.
BYTES: Final[dict[str, tuple[bytes, str, tuple[str, ...]]]] = {
    "German in windows-1252": (GERMAN.encode("cp1252"), GERMAN, ("encoding",)),
    "French in windows-1252": (FRENCH.encode("cp1252"), FRENCH, ("encoding",)),
    "Spanish in windows-1252": (SPANISH.encode("cp1252"), SPANISH, ("encoding",)),
    "a word in guillemets": (b"\xabcaf\xe9\xbb", "\u00abcaf\u00e9\u00bb", ("encoding",)),
    "without a character in windows-1252": (b"\x81 \xe9", "\x81 \u00e9", ("encoding",)),
    "UTF-8 cut in a character": (
        b"\xc3\xa4\xc3\xb6\xc3\xbc \xe2\x82",
        "\u00e4\u00f6\u00fc \ufffd\ufffd",
        ("encoding",),
    ),
    "one stray byte in UTF-8": (b"\xc3\xa9\xe9", "\u00e9\ufffd", ("encoding",)),
    "two cuts in much UTF-8": (b"\x9f\xc3\x9f\xe2\x82\xac5 \xc3", "\ufffd\u00df\u20ac5 \ufffd", ("encoding",)),
}

# Texts in which a "<" begins nothing.
TEXTS: Final = (
    *("no </3 love", "</>", "wow <! x", "what <? x", "I <3 you", "<:-)", "<-- here", "a <", "<<<", "<!", "<?", "</ 3"),
    *("<!- x", "<![CDAT", "see <!-- there", "what <?x y", "1 < 2 <= 3", "<\u20ac5", "<\U0001f600", "<&lt"),
)

BASE64: Final[dict[str, tuple[bytes, str, tuple[str, ...]]]] = {
    "German": (GERMAN.encode("cp1252"), GERMAN, ("base64", "encoding")),
    "French": (FRENCH.encode("cp1252"), FRENCH, ("base64", "encoding")),
    "UTF-8": (GERMAN.encode(), GERMAN, ("base64",)),
    "UTF-8 cut in a character": (b"\xc3\xa9\xe2\x82", "\u00e9\ufffd\ufffd", ("base64", "encoding")),
    "Java's emoji": (b"\xed\xa0\xbd\xed\xb8\x80", "\U0001f600", ("base64", "surrogate pair")),
}


def _as(codec: str, declared: str) -> Callable[[bytes], bytes]:
    return lambda body: body.decode().encode(codec).replace(b'encoding="utf-8"', f'encoding="{declared}"'.encode())


# How the bytes of a text with quotation marks are made, the Content-Type, the marks of repairs.
LABELS: Final[dict[str, tuple[Callable[[bytes], bytes], str, tuple[str, ...]]]] = {
    "both say Latin-1, is windows-1252": (_as("cp1252", "iso-8859-1"), LATIN, ("encoding",)),
    "XML says Latin-1, is windows-1252": (_as("cp1252", "ISO-8859-1"), "text/xml", ("encoding",)),
    "Content-Type says Latin-1, is windows-1252": (
        lambda body: body.partition(b"?>")[2].decode().encode("cp1252"),
        LATIN,
        ("encoding",),
    ),
    "says Latin-9, is windows-1252": (_as("cp1252", "iso-8859-15"), "text/xml", ("encoding",)),
    "both say Latin-1, is UTF-8": (_as("utf-8", "iso-8859-1"), LATIN, ("charset",)),
    "both say windows-1252, quoted": (_as("cp1252", "windows-1252"), "text/xml; charset=windows-1252", ()),
}

READ: Final = datetime(2008, 6, 12, 9, 15, 30, tzinfo=UTC)
TIMES: Final[dict[str, datetime]] = {
    "2008-06-12T23:15:30+14:00": READ,
    "2008-06-12T10:15:30+01": READ,
    "2008-06-12T04:15:30-05": READ,
    "2008-06-12T09:15:30,5Z": READ.replace(microsecond=500_000),
    "2008-06-12T10:15:30,0000000+01:00": READ,
    "2008-06-12T10:15:30+01:00[Europe/London]": READ,
    "2008-06-12T09:15:30Z[UTC]": READ,
    "2008-06-12T09:15:30 UTC": READ,
    "2008-06-12 09:15:30 GMT": READ,
}
"""Times of which every part is sure."""
GUESSED_TIMES: Final[dict[str, datetime]] = {
    "2008-06-12T09:15Z": READ.replace(second=0),
    "2008-06-12T10:15+01": READ.replace(second=0),
    "2008-06-12T10:15": READ.replace(second=0),
    "2008-06-12T11:15:30[Europe/Paris]": READ,
}
"""Times whose text is kept, since a part of them is not said."""
NO_TIMES: Final = (
    *("2008-06-12T10:15:30+14:01", "2008-06-12T10:15:30+23:59", "2008-06-12T10:15:30-15:00", "2008-06-12T10:15:30+15"),
    *("2008-06-12T10:15:30[Europe/Nowhere]", "2008-06-12T10:15:30[Europe]", "2008-06-12T10:15:30[../zone]"),
    *("2008-06-12T10:15,5Z", "2008-06-12T10Z"),
)

OURS: Final = f'xmlns="{NAMESPACE}"'
BOTH: Final = ("undeclared prefix", "namespace")


def _with_type(told: Message) -> Message:
    """Return the request with a declaration of the contract's namespace far behind, which lxml warns of."""
    return told.with_part("type", element("type", b"Text", OURS))


def _header(told: Message, old: bytes, new: bytes) -> Message:
    return replace(told, header=HEADER.replace(old, new))


def _header_behind(body: bytes) -> bytes:
    before, begin, rest = body.partition(b"<soap:Header>")
    header, end, rest = rest.partition(b"</soap:Header>")
    return before + rest.replace(b"</soap:Body>", b"</soap:Body>" + begin + header + end)


def _prefixed(told: Message) -> Message:
    return told.with_part("body", b"<u:body>Yes please</u:body>")


NAMESPACES: Final[dict[str, tuple[Callable[[Message], Message], tuple[str, ...]]]] = {
    "prefix of the body, declaration behind": (lambda told: _with_type(_prefixed(told)), BOTH),
    "prefix of the body, Header behind": (lambda told: replace(_prefixed(told), transform=_header_behind), BOTH),
    "prefix of the body, declared on another element": (
        lambda told: _prefixed(told).with_part("type", b"<u:type xmlns:u='%s'>Text</u:type>" % NAMESPACE.encode()),
        BOTH,
    ),
    "prefix of MessengerHeader": (lambda told: _header(told, b"MessengerHeader", b"u:MessengerHeader"), BOTH),
    "prefix of Username": (lambda told: _header(told, b"Username>", b"u:Username>"), BOTH),
    "prefix of Password": (lambda told: _header(told, b"Password>", b"u:Password>"), BOTH),
    "prefix of an attribute": (
        lambda told: _with_type(told.with_part("body", b'<body u:a="1">Yes please</body>')),
        ("undeclared prefix",),
    ),
    "empty declaration, a good one behind": (
        lambda told: _with_type(told.with_part("body", b'<body xmlns:u="">Yes please</body>')),
        ("namespace declaration",),
    ),
    "undeclared prefix, and an empty declaration behind": (
        lambda told: _prefixed(told).with_part("type", b'<type xmlns:v="">Text</type>'),
        ("undeclared prefix", "namespace declaration", "namespace"),
    ),
    "empty declaration at the end": (
        lambda told: replace(told, after=b'<r xmlns:u=""/>'),
        ("namespace declaration",),
    ),
    "a namespace that is no address": (
        lambda told: replace(told, header=HEADER + b'<r xmlns="http://a b/"/>'),
        ("namespace declaration",),
    ),
    "a namespace that is no address, at the end": (
        lambda told: replace(told, after=b'<r xmlns="http://a b/"/>'),
        ("namespace declaration",),
    ),
    "two identifiers that are none": (
        lambda told: replace(told, after=b'<r xml:id="1 2"/>'),
        ("namespace declaration",),
    ),
}


def strictness() -> Iterator[tuple[str, Message]]:
    for kind, name in TEXT_FIELDS:
        attribute = FIELDS[kind][name]
        for case, (wire, value, marks) in BYTES.items():
            told = message(kind, case).with_content(name, wire)
            yield f"{kind}.{name}: {case}", repaired_as(told, *marks, **{attribute: value})
        for text in TEXTS:
            told = message(kind, text).with_content(name, text.encode())
            yield f"{kind}.{name}: {text!r}", repaired_as(told, "unescaped character", **{attribute: text})
        for case, (wire, value, marks) in BASE64.items():
            told = message(kind, f"base64 {case}")
            told = told.with_part(name, element(name, b64encode(wire), f'{XSI} xsi:type="xsd:base64Binary"'))
            yield f"{kind}.{name}: base64, {case}", repaired_as(told, *marks, **{attribute: value})
    for case, (transform, content_type, marks) in LABELS.items():
        told = message(Kind.MESSAGE_RECEIVED, case).with_content("body", QUOTED.encode())
        told = replace(told, transform=transform, content_type=content_type)
        yield case, repaired_as(told, *marks, body=QUOTED)
    for case, (change, marks) in NAMESPACES.items():
        yield case, repaired_as(change(message(Kind.MESSAGE_RECEIVED, case)), *marks)
    yield from _times()


def _times() -> Iterator[tuple[str, Message]]:
    for text, instant in (TIMES | GUESSED_TIMES).items():
        told = message(Kind.MESSAGE_RECEIVED, text).with_content("sentat", text.encode())
        original = {"sent_at": text} if text in GUESSED_TIMES else {}
        yield f"time {text}", told.meaning(sent_at=instant, original=original)
    for text in NO_TIMES:
        told = message(Kind.MESSAGE_RECEIVED, text).with_content("sentat", text.encode())
        yield f"no time {text}", repaired_as(told, "sent_at unreadable", sent_at=None, original={"sent_at": text})
