"""Redaction of the password in a form that is kept. All other bytes stay as they came.

The password is masked in its own field and in each other text that says it. Where it may be left, the form is not kept.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from soap_handler.faces.form_post.form import decoded_pairs

REDACTED: Final = b"***"


def redacted(body: bytes, password: str, charset: str | None = None) -> bytes | None:
    """Return a form with its passwords redacted, or ``None`` where one can still be found in it.

    ``password`` is the one that was read from it, ``charset`` that of its Content-Type.
    """
    kept = b"&".join(_masked(field, password) for field in body.split(b"&"))
    texts = [text for pair in decoded_pairs(kept, charset)[0] for text in pair]
    return None if password and any(password in text for text in texts) else kept


def _masked(field: bytes, password: str) -> bytes:
    """Return a field; one whose name speaks of a password, with or without a prefix, is redacted."""
    name, equals, text = field.partition(b"=")
    if b"password" in unquote_to_bytes(name).lower():
        return name + equals + REDACTED
    return name + equals + _without(password, text) if equals else _without(password, name)


def _without(password: str, text: bytes) -> bytes:
    """Return a field's text as it came; where it says the password, with that masked, and quoted anew."""
    said = unquote_to_bytes(text.replace(b"+", b" "))
    masked = said
    for codec in ("utf-8", "cp1252"):
        written = password.encode(codec, "ignore")
        masked = masked.replace(written, REDACTED) if written else masked
    return text if masked == said else quote_from_bytes(masked, safe="* ").replace(" ", "+").encode()
