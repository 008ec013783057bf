"""Batch reading of forms: a quick split of usual fields; the rest is the plain reader's (``faces.form_post``).

Trade-off: it knows ASCII forms with plain names only. For any other form it returns ``None``, and the general way takes
it. Property tests hold both to equal values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from soap_handler.errors import FormError
from soap_handler.faces.base import is_xml
from soap_handler.faces.form_post.form import MAX_FIELDS, form_of
from soap_handler.faces.origin import FORM
from soap_handler.xml.charsets import charset_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.faces.base import Request
    from soap_handler.faces.form_post.form import Pairs
    from soap_handler.fast.usual_reader import Read


def read_usual_forms(requests: Sequence[Request]) -> list[Read | None]:
    """Return the contents of each form, or ``None`` where the general way must take it."""
    return [_read(request) for request in requests]


def _read(request: Request) -> Read | None:
    charset = charset_of(request.content_type)
    if (charset is not None and charset.lower() != "utf-8") or is_xml(request.body):
        return None
    try:
        pairs = _usual_pairs(request.body)
        form = None if pairs is None else form_of(pairs)
    except (FormError, UnicodeDecodeError):
        return None
    if form is None or form.repaired or form.credentials is None:
        return None
    return form.kind, form.fields, form.credentials, FORM


def _usual_pairs(body: bytes) -> Pairs | None:
    """Return names and texts. UnicodeDecodeError: it is not in UTF-8, or not quoted."""
    fields = [field.partition("=") for field in body.strip().decode("ascii").split("&")]
    if len(fields) > MAX_FIELDS or not all(name.isalpha() for name, _, _ in fields):
        return None
    return [
        (name, unquote_plus(text, errors="strict") if "%" in text or "+" in text else text) for name, _, text in fields
    ]
