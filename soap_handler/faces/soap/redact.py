"""Redaction of the password in a repaired request, so that the request may be kept. All other bytes stay as they came.

Where a password may be left in it, the request is not kept.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final

from soap_handler.errors import DoctypeError
from soap_handler.xml.charsets import decode, wide_codec
from soap_handler.xml.repair import repair, restore

if TYPE_CHECKING:
    from collections.abc import Iterator

REDACTED: Final = "***"

_TOKEN: Final = re.compile(r"<(/?)(?:[^\s<>/:]{1,64}:)?password(?=[\s/>])[^<>]*>", re.IGNORECASE)
_SECTION: Final = re.compile(r"<!|<\?")  # a comment or CDATA section may hide an end tag, or half of a password
_TAG: Final = re.compile(r"<!\[CDATA\[|\]\]>|<[^<>]*>")


class _UnsureError(Exception):
    """Where the passwords of a request begin and end is not sure."""


def redacted(body: bytes, password: str, label: str | None = None) -> bytes | None:
    """Return a request with its passwords redacted, or ``None`` where that cannot be done safely.

    ``password`` is the one that was read from it, ``label`` the charset of its Content-Type.
    """
    codec = wide_codec(body) or "latin-1"  # both directions are without loss, and the markup is ASCII either way
    whole = len(body) - len(body) % len(" ".encode(codec))  # the request may end in the middle of a character
    try:
        pieces = _around_passwords(body[:whole].decode(codec, "surrogatepass"))
        kept = REDACTED.join(pieces).encode(codec, "surrogatepass") + body[whole:]
        safe = not password or (len(pieces) > 1 and not _leaks(kept, password, label))
    except (_UnsureError, DoctypeError, ValueError):
        return None
    return kept if safe else None


def _around_passwords(text: str) -> list[str]:
    """Return the pieces of text before, between and after the contents of the password elements.

    Raises:
        _UnsureError: where they begin and end is not sure.
    """
    pieces, here = [], 0
    for start, end in _passwords(text):
        if _SECTION.search(text, start, end):
            raise _UnsureError
        pieces.append(text[here:start])
        here = end
    return [*pieces, text[here:]]


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


def _leaks(kept: bytes, password: str, label: str | None) -> bool:
    """Whether a password can still be found, in any form in which a sender may write it.

    Raises:
        DoctypeError: that is not sure, since there is a document type declaration.
    """
    text = decode(kept, label).text
    repaired = repair(text).text
    forms = (text, html.unescape(restore(repaired)), html.unescape(restore(_TAG.sub("", repaired))))
    secrets = (password, b64encode(password.encode("utf-8", "surrogatepass")).decode().rstrip("="))
    return any(secret in form for secret in secrets for form in forms)
