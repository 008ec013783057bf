"""Batch reading of forms: the plain reader (``faces.form_post``), which is quick enough, for the I/O loop.

Trade-off: none in speed; a form that needs a repair, or a costly check of its password, goes the general way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler.errors import FormError
from soap_handler.faces.form_post.form import read_form
from soap_handler.xml.charsets import charset_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.faces.base import Request
    from soap_handler.fast.usual_reader import Read


def read_usual_forms(requests: Sequence[Request]) -> list[Read | None]:
    """Return the contents of each form, or ``None`` where the general way must take it."""
    return [_read(request) for request in requests]


def _read(request: Request) -> Read | None:
    try:
        form = read_form(request.body, charset_of(request.content_type))
    except FormError:
        return None
    if form.repaired or form.credentials is None:
        return None
    return form.kind, form.fields, form.credentials
