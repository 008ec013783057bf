"""How a request's bytes may be coded, and what its two labels may say of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from soap_handler.notifications import Kind
from tests.corpus.messages import FIELDS, Message, message, repaired_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _recoded(codec: str, declared: str = "utf-8", mark: bytes = b"") -> Callable[[bytes], bytes]:
    old = b'encoding="utf-8"'
    return lambda body: mark + body.replace(old, f'encoding="{declared}"'.encode()).decode().encode(codec)


LATIN: Final = "text/xml; charset=iso-8859-1"
# How the bytes are coded, the Content-Type, the marks of repairs. The text holds an "e" with an acute accent.
ENCODINGS: Final[dict[str, tuple[Callable[[bytes], bytes], str, tuple[str, ...]]]] = {
    "byte-order mark": (_recoded("utf-8-sig"), "text/xml; charset=utf-8", ()),
    "two byte-order marks": (_recoded("utf-8-sig", mark=b"\xef\xbb\xbf"), "text/xml", ("markup",)),
    "UTF-16 with mark": (_recoded("utf-16", "utf-16"), "text/xml; charset=utf-16", ()),
    "UTF-16 with mark, as UTF-8": (_recoded("utf-16"), "text/xml; charset=utf-8", ()),
    "UTF-16BE with mark": (_recoded("utf-16-be", "utf-16", b"\xfe\xff"), "text/xml", ()),
    "UTF-16LE without mark": (_recoded("utf-16-le", "utf-16"), "text/xml; charset=utf-16", ()),
    "UTF-16BE without mark": (_recoded("utf-16-be", "utf-16"), "text/xml", ()),
    "UTF-16LE without declaration": (
        lambda body: body.partition(b"?>")[2].decode().encode("utf-16-le"),
        "text/xml",
        ("charset",),
    ),
    "UTF-16BE without declaration": (
        lambda body: body.partition(b"?>")[2].decode().encode("utf-16-be"),
        "text/xml",
        ("charset",),
    ),
    "UTF-16 with mark, cut in a character": (
        lambda body: body.decode().encode("utf-16") + b"\n",
        "text/xml",
        ("encoding",),
    ),
    ".NET: says UTF-16, is UTF-8": (_recoded("utf-8", "utf-16"), "text/xml; charset=utf-8", ("charset",)),
    "says Latin-1, is UTF-8": (_recoded("utf-8", "iso-8859-1"), "text/xml; charset=utf-8", ("charset",)),
    "Content-Type says Latin-1, is UTF-8": (_recoded("utf-8"), LATIN, ("charset",)),
    "says UTF-8, is Latin-1": (_recoded("latin-1"), "text/xml; charset=utf-8", ("encoding",)),
    "says ASCII, is UTF-8": (_recoded("utf-8", "us-ascii"), "text/xml", ("charset",)),
    "says nothing, is Latin-1": (lambda body: body.partition(b"?>")[2].decode().encode("latin-1"), "", ("encoding",)),
    "Content-Type says it is Latin-1": (lambda body: body.partition(b"?>")[2].decode().encode("latin-1"), LATIN, ()),
    "NuSOAP: both say Latin-1": (_recoded("latin-1", "ISO-8859-1"), 'text/xml; charset="ISO-8859-1"', ()),
    "both say windows-1252": (_recoded("cp1252", "windows-1252"), "text/xml; charset=windows-1252", ()),
    "says an unknown charset, is UTF-8": (_recoded("utf-8", "x-klingon"), "text/xml", ("charset",)),
    "Content-Type says an unknown charset": (_recoded("utf-8"), "text/xml; charset=x-klingon", ("charset",)),
    "says Shift-JIS, is UTF-8": (_recoded("utf-8", "Shift_JIS"), "text/xml; charset=utf-8", ("charset",)),
    "blank lines before": (lambda body: b"\n\n\xef\xbb\xbf" + body, "text/xml", ("markup",)),
    "NUL bytes after": (lambda body: body + b"\r\n\0\0", "text/xml", ("markup",)),
    "broken declaration": (lambda body: body.replace(b'"utf-8"?>', b"utf-8?>"), "text/xml", ("markup",)),
    "XML 1.1": (lambda body: body.replace(b'"1.0"', b'"1.1"'), "text/xml", ()),
}


def _halves_in(codec: str) -> Callable[[bytes], bytes]:
    return lambda body: body.decode("utf-8", "surrogatepass").encode(codec, "surrogatepass")


def encodings() -> Iterator[tuple[str, Message]]:
    letter = "Jos\u00e9"
    for kind, name in (
        (Kind.MESSAGE_RECEIVED, "body"),
        (Kind.MESSAGE_ERROR, "detail"),
        (Kind.SUBSCRIPTION_EVENT, "contactID"),
    ):
        for case, (transform, content_type, repaired) in ENCODINGS.items():
            told = message(kind, case).with_content(name, letter.encode())
            told = replace(told, transform=transform, content_type=content_type)
            yield f"{kind}: {case}", repaired_as(told, *repaired, **{FIELDS[kind][name]: letter})
    for codec in ("utf-16-le", "utf-16-be"):
        told = message(Kind.MESSAGE_RECEIVED, codec).with_content("body", b"a\xed\xa0\xbdb&#xC;")
        told = replace(told, transform=_halves_in(codec))
        yield f"half an emoji in {codec}", repaired_as(told, "control character", "lone surrogate", body="a\ufffdb\x0c")
