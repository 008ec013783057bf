"""Redaction of the password in a request, so that the request may be kept. All other bytes stay as they came.

The password is masked by its place and wherever else it stands. Where that is not safe, the request is kept without its
Header, and a comment in its place says so. Only where the rest may still hold the password, nothing is kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from soap_handler.errors import DoctypeError
from soap_handler.faces.redact import REDACTED, codec_of, leaks, masked, without_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_HEADER: Final = "<!-- The Header is left out: its password could not be masked with certainty. -->"

_TOKEN: Final = re.compile(r"<(/?)(?:[^\s<>/:]{1,64}:)?password(?=[\s/>])[^<>]*>", re.IGNORECASE)
_SECTION: Final = re.compile(r"<!\[CDATA\[(?:(?!<!\[CDATA\[).)*?\]\]>", re.DOTALL)
_OPENING: Final = re.compile(r"<!|<\?")  # a comment or an open section may hide an end tag, or half of a password
_IN_MAP: Final = re.compile(
    r"(<(?:[^\s<>/:]{1,64}:)?key\b[^<>]*>\s{0,64}password\s{0,64}</[^<>]*>\s{0,64}"
    r"<(?:[^\s<>/:]{1,64}:)?value\b[^<>]*(?<!/)>)(?:(?!</?(?:[^\s<>/:]{1,64}:)?value\b).){0,4096}",
    re.IGNORECASE | re.DOTALL,
)
"""A pair of the map as which PHP's SoapClient writes an array."""
_ATTRIBUTE: Final = re.compile(r"""(<[^<>]*\spassword\s{0,8}=\s{0,8}["'])[^<>"']*""", re.IGNORECASE)
_HEADER: Final = re.compile(r"<((?:[^\s<>/:!?]{1,64}:)?Header)(?=[\s>])[^<>]*(?<!/)>", re.IGNORECASE)
_BODY: Final = re.compile(r"<(?:[^\s<>/:!?]{1,64}:)?Body[\s>]", re.IGNORECASE)


class _UnsureError(Exception):
    """Where the passwords of a request begin and end is not sure."""


def redacted(body: bytes, password: str, label: str | None = None) -> bytes | None:
    """Return a request with its passwords redacted, perhaps without its Header; ``None`` where neither is safe.

    ``password`` is the one that was read from it, ``label`` the charset of its Content-Type.
    """
    codec = codec_of(body)  # both directions are without loss, and the markup is ASCII either way
    whole = len(body) - len(body) % len(" ".encode(codec))  # the request may end in the middle of a character
    try:
        text = body[:whole].decode(codec, "surrogatepass")
    except ValueError:
        return None
    for part in (text, _without_header(text)):
        kept = None if part is None else _kept(part, password, codec, label)
        if kept is not None:
            return kept + body[whole:]
    return None


def _kept(text: str, password: str, codec: str, label: str | None) -> bytes | None:
    """Return a text with its passwords masked; ``None`` where one was not found, or may be left."""
    try:
        placed = _ATTRIBUTE.sub(rf"\g<1>{REDACTED}", _IN_MAP.sub(rf"\g<1>{REDACTED}", _by_place(text)))
        kept = masked(placed, password, codec) if password else placed
        raw = without_bytes(kept.encode(codec, "surrogatepass"), password, codec)
        found = REDACTED in kept or NO_HEADER in kept
        return raw if not password or (found and not leaks(raw, password, label)) else None
    except (_UnsureError, DoctypeError, ValueError):
        return None


def _without_header(text: str) -> str | None:
    """Return a text with a comment in place of the Header; ``None`` where it has none, or where that takes the Body."""
    begin = _HEADER.search(text)
    if begin is None:
        return None
    end_tag = f"</{begin[1]}"
    end = text.rfind(end_tag)
    close = text.find(">", end)
    if end < begin.end() or close < 0:
        return None
    rest = text[: begin.start()] + NO_HEADER + text[close + 1 :]
    return rest if _BODY.search(rest) else None


def _by_place(text: str) -> str:
    """Return a text with the contents of its password elements masked.

    Raises:
        _UnsureError: where they begin and end is not sure.
    """
    pieces, here = [], 0
    for start, end in _passwords(text):
        if _OPENING.search(_SECTION.sub("", text[start:end])):
            raise _UnsureError
        pieces.append(text[here:start])
        here = end
    return REDACTED.join((*pieces, text[here:]))


def _passwords(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the content of each password element begins and ends. Its tags must come in pairs."""
    opened: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        if token[0].endswith("/>"):
            continue
        if bool(token[1]) == (opened is None):
            raise _UnsureError
        if opened is not None:
            yield opened.end(), token.start()
        opened = None if token[1] else token
    if opened is not None:
        raise _UnsureError
