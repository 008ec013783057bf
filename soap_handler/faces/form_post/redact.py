"""Redaction of the password in a form that is kept. All other bytes stay as they came.

Where a password may be left in it, the form is not kept.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from soap_handler.faces.form_post.form import decoded_pairs

REDACTED: Final = b"***"


def redacted(body: bytes, password: str, charset: str | None = None) -> bytes | None:
    """Return a form with its passwords redacted, or ``None`` where one can still be found in it.

    ``password`` is the one that was read from it, ``charset`` that of its Content-Type.
    """
    kept = b"&".join(_masked(field) for field in body.split(b"&"))
    texts = [text for pair in decoded_pairs(kept, charset)[0] for text in pair]
    return None if password and any(password in text for text in texts) else kept


def _masked(field: bytes) -> bytes:
    """Return a field; one whose name speaks of a password, with or without a prefix, is redacted."""
    name, equals, _ = field.partition(b"=")
    return name + equals + REDACTED if b"password" in unquote_to_bytes(name).lower() else field
