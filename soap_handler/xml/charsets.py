"""Charset detection: the text of a document's bytes, even under a wrong label. It knows XML's declaration, not SOAP.

Only documents that the strict parser refused, or whose labels contradict each other, are decoded here. Where label and
bytes disagree, the bytes decide:

- A byte-order mark, or NUL in every other byte, means UTF-8, UTF-16 or UTF-32.
- Valid UTF-8 is UTF-8 if the labels say so, say nothing usable, or contradict each other.
- Bytes that are not valid UTF-8 are windows-1252 under a wrong label (PHP, classic ASP), if there are more invalid than
  valid sequences of them: a letter before a quotation mark is a valid sequence by accident. It has the letters of ISO
  8859-1 in the same places.
- Else the invalid bytes are damage, such as a character cut in half by a sender that counts bytes. Each becomes U+FFFD.
- Bytes 80 to 9F under a label of ISO 8859, which has control characters there, are those of windows-1252.
- Java's "modified UTF-8" is read: an emoji as two surrogates of three bytes each, and NUL as two bytes.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

BYTES: Final = "encoding"
LABEL: Final = "charset"
SURROGATES: Final = "surrogate pair"
"""Marks of repairs: bytes that are not valid, a wrong label, an emoji as two surrogates."""

# Python remembers each unknown name of a codec for ever, so only these names are looked up.
_CODECS: Final = {
    "utf8": "utf-8",
    "usascii": "ascii",
    "ascii": "ascii",
    **{f"iso8859{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)},
    "latin1": "iso8859-1",
    "latin9": "iso8859-15",
    **{f"{prefix}125{page}": f"cp125{page}" for page in range(9) for prefix in ("windows", "cp")},
    **{name: name for name in ("cp437", "cp850", "gbk", "gb18030", "big5")},
    "gb2312": "gbk",
    "shiftjis": "cp932",
    "sjis": "cp932",
    "koi8r": "koi8-r",
    "koi8u": "koi8-u",
    "eucjp": "euc_jp",
    "euckr": "euc_kr",
    "macintosh": "mac_roman",
}
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED: Final = re.compile(rb"""\s{0,64}<\?xml[^<>]{0,128}?\bencoding\s{0,8}=\s{0,8}["']([\w.:-]{1,40})""")
_PARAMETER: Final = re.compile(r""";\s*charset\s*=\s*["']?([\w.:+-]{1,40})""", re.IGNORECASE | re.ASCII)
_TYPE_CHARACTERS: Final = 200  # of a Content-Type, in which its charset is looked for
_SAMPLE_BYTES: Final = 64  # at the start: NUL bytes in them show the width of a character

_MULTIBYTE: Final = re.compile("[^\x00-\x7f\udc80-\udcff]")
_INVALID: Final = re.compile("[\udc80-\udcff]")
_SURROGATE_PAIR: Final = re.compile("\udced([\udca0-\udcaf])([\udc80-\udcbf])\udced([\udcb0-\udcbf])([\udc80-\udcbf])")
_SURROGATE: Final = re.compile("\udced[\udca0-\udcbf][\udc80-\udcbf]")
_OVERLONG_NUL: Final = "\udcc0\udc80"
_INVALID_SEQUENCE: Final = re.compile("[\udcc0-\udcff][\udc80-\udcbf]{0,3}|[\udc80-\udcbf]{1,3}")
"""A character cut short, or the rest of one; as windows-1252, a letter and the marks after it."""

_C1_BYTES: Final = re.compile(rb"[\x80-\x9f]")
_C1_CHARACTERS: Final = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}
"""The characters of windows-1252 in the place of control characters; five places have none."""


@lru_cache(maxsize=64)  # a caller sends the same Content-Type with each request
def charset_of(content_type: str) -> str | None:
    """Return the charset that a Content-Type names, or ``None``."""
    match = _PARAMETER.search(content_type, 0, _TYPE_CHARACTERS)
    return match[1] if match else None


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of some bytes, and how it was decoded."""

    text: str
    """It may hold lone surrogates, if the document was in UTF-16."""
    codec: str
    """Python's name of the encoding."""
    repaired: tuple[str, ...] = ()


def decode(body: bytes, label: str | None = None) -> Decoded:
    """Decode a document. ``label`` is the charset of its Content-Type. No bytes are refused."""
    for mark, codec in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _decode_as(codec, _without(mark, body))
    codec_by_width = _wide(body)
    if codec_by_width:
        decoded = _decode_as(codec_by_width, body)
        return decoded if decoded.text.lstrip().startswith("<?xml") else _marked((LABEL,), decoded)
    return _decode_labelled(body, [name for name in (label, _declared(body)) if name])


def contradicts(body: bytes, label: str | None, effective: str | None) -> bool:
    """Whether the charset of the Content-Type contradicts the encoding by which a parser read these bytes.

    It does not where all bytes are ASCII, or where a byte-order mark decides.
    """
    if not label or body.isascii() or any(body.startswith(mark) for mark, _ in _BYTE_ORDER_MARKS) or _wide(body):
        return False
    return _codec(label) != (_codec(effective) if effective else "utf-8")


def holds_windows_characters(body: bytes, effective: str) -> bool:
    """Whether reading bytes in this encoding takes characters of windows-1252 for control characters."""
    return (_codec(effective) or "").startswith("iso8859") and _C1_BYTES.search(body) is not None


def wide_codec(body: bytes) -> str | None:
    """Return the codec of a document whose characters are all wider than one byte, or ``None``."""
    marked = next((codec for mark, codec in _BYTE_ORDER_MARKS if body.startswith(mark)), None)
    return _wide(body) if marked is None else None if marked == "utf-8" else marked


def text_of(raw: bytes) -> str:
    """Decode a single value that came as base64: UTF-8, or else windows-1252."""
    return decode_value(raw).text


def decode_value(raw: bytes, label: str | None = None) -> Decoded:
    """Decode a single value, such as a form's field: by ``label`` where it names a charset, else UTF-8 if it may be."""
    return _decode_labelled(raw, [label] if label else [])


def _without(mark: bytes, body: bytes) -> bytes:
    begin = 0
    while body.startswith(mark, begin):  # a sender that concatenates files may repeat it
        begin += len(mark)
    return body[begin:]


def _wide(body: bytes) -> str | None:
    sample = body[:_SAMPLE_BYTES]
    first, second = sample[::2].count(0), sample[1::2].count(0)
    if max(first, second) <= len(sample) // 4:
        return None
    return "utf-16-be" if first > second else "utf-16-le"


def _declared(body: bytes) -> str | None:
    match = _DECLARED.match(body)
    return match[1].decode("latin-1") if match else None


def _codec(label: str) -> str | None:
    return _CODECS.get(re.sub(r"[\s_:.-]", "", label[:40]).lower())


def _decode_as(codec: str, body: bytes) -> Decoded:
    """Decode bytes that are surely in this encoding. Lone surrogates stay in the text; ``repair`` replaces them."""
    if codec == "utf-8":
        return _decode_utf8(body)
    odd = len(body) % (4 if codec.startswith("utf-32") else 2)
    cut = (BYTES,) if odd else ()  # it ends in the middle of a character
    body = body[: len(body) - odd]
    try:
        return Decoded(body.decode(codec, "surrogatepass"), codec, cut)
    except UnicodeDecodeError:
        return Decoded(body.decode(codec, "replace"), codec, (BYTES,))


def _decode_labelled(body: bytes, labels: list[str]) -> Decoded:
    if body.isascii():
        return Decoded(body.decode("ascii"), "utf-8", () if all(map(_codec, labels)) else (LABEL,))
    named = dict.fromkeys(_codec(label) for label in labels)
    wrong = (LABEL,) if len(named) > 1 or None in named or "ascii" in named else ()
    others = [codec for codec in named if codec and codec not in {"ascii", "utf-8"}]
    if not others or (wrong and _is_utf8(body)):
        return _marked(wrong, _decode_utf8(body))
    try:
        decoded = _decode_one_byte(body, others[0])
    except UnicodeDecodeError:
        decoded = Decoded(body.decode(others[0], "replace"), others[0], (BYTES,))
    if decoded.repaired and _is_utf8(body):
        return _marked((LABEL,), _decode_utf8(body))
    return _marked(wrong, decoded)


def _decode_one_byte(body: bytes, codec: str) -> Decoded:
    """Decode bytes by the codec of their label. Those that ISO 8859 has no characters for are windows-1252's.

    Raises:
        UnicodeDecodeError: they are not in this encoding.
    """
    text = body.decode(codec)
    if not codec.startswith("iso8859") or not _C1_BYTES.search(body):
        return Decoded(text, codec)
    return Decoded(text.translate(_C1_CHARACTERS), codec, (BYTES,))


def _marked(marks: tuple[str, ...], decoded: Decoded) -> Decoded:
    return Decoded(decoded.text, decoded.codec, (*marks, *decoded.repaired))


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decode_utf8(body: bytes) -> Decoded:
    text = body.decode("utf-8", "surrogateescape")
    if not _INVALID.search(text):
        return Decoded(text, "utf-8")
    text, pairs = _SURROGATE_PAIR.subn(_joined, text.replace(_OVERLONG_NUL, "\0"))
    found = [SURROGATES] if pairs else []
    if not _INVALID.search(text):
        return Decoded(text, "utf-8", tuple(found) or (BYTES,))
    if not _SURROGATE.search(text) and _count(_INVALID_SEQUENCE, text) > _count(_MULTIBYTE, text):
        return Decoded(body.decode("latin-1").translate(_C1_CHARACTERS), "cp1252", (BYTES,))
    text = _INVALID.sub("\ufffd", _SURROGATE.sub("\ufffd", text))
    return Decoded(text, "utf-8", (*found, BYTES))


def _count(pattern: re.Pattern[str], text: str) -> int:
    return sum(1 for _ in pattern.finditer(text))


def _joined(match: re.Match[str]) -> str:
    """Return the character that was written as two surrogates of three bytes each."""
    raw = match[0].encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass").decode("utf-16-le")
