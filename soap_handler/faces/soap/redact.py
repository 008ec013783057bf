"""The envelope of a mended request as it may be kept: byte for byte as it came, but for the password.

Where it is not sure that nothing of a password is left, there is no envelope to keep.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final

from soap_handler.xml.charsets import decode, wide_codec
from soap_handler.xml.repair import mend, restore

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK: Final = "***"

_TOKEN: Final = re.compile(r"<(/?)(?:[^\s<>/:]{1,64}:)?password(?=[\s/>])[^<>]*>", re.IGNORECASE)
_HIDING: Final = re.compile(r"<!|<\?")  # a comment or CDATA section could hide an end tag, or half of a password
_TAG: Final = re.compile(r"<!\[CDATA\[|\]\]>|<[^<>]*>")


def masked(body: bytes, password: str, label: str | None = None) -> bytes | None:
    """Return a request with its passwords masked, or ``None`` where that cannot be done safely.

    ``password`` is what was read from it, ``label`` the charset of its Content-Type.
    """
    codec = wide_codec(body) or "latin-1"  # there and back without loss; the markup is ASCII either way
    whole = len(body) - len(body) % len(" ".encode(codec))  # it may end in the middle of a character
    try:
        pieces = _around_passwords(body[:whole].decode(codec, "surrogatepass"))
        kept = MASK.join(pieces).encode(codec, "surrogatepass") + body[whole:]
        safe = not password or (len(pieces) > 1 and not _tells(kept, password, label))
    except ValueError:  # a reason not to be sure
        return None
    return kept if safe else None


def _around_passwords(text: str) -> list[str]:
    """Return what is before, between and after the contents of the password elements.

    Raises:
        ValueError: where they begin and end is not sure.
    """
    pieces, here = [], 0
    for start, end in _passwords(text):
        if _HIDING.search(text, start, end):
            raise ValueError(MASK)
        pieces.append(text[here:start])
        here = end
    return [*pieces, text[here:]]


def _passwords(text: str) -> Iterator[tuple[int, int]]:
    """Find the content of each password element by its tags, which must come in pairs."""
    opened: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        if token[0].endswith("/>"):
            continue
        if bool(token[1]) == (opened is None):
            raise ValueError(MASK)
        if opened is not None:
            yield opened.end(), token.start()
        opened = None if token[1] else token
    if opened is not None:
        raise ValueError(MASK)


def _tells(kept: bytes, password: str, label: str | None) -> bool:
    """Whether a password can still be found, in any form in which a sender may write it.

    Raises:
        ValueError: that cannot be said.
    """
    text = decode(kept, label).text
    meant = mend(text).text
    forms = (text, html.unescape(restore(meant)), html.unescape(restore(_TAG.sub("", meant))))
    secrets = (password, b64encode(password.encode("utf-8", "surrogatepass")).decode().rstrip("="))
    return any(secret in form for secret in secrets for form in forms)
