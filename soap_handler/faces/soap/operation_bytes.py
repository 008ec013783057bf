"""The bytes of a request that tell its operations from those of any other: as it came, without the Header.

A digest of them stands in a key, and keys are shown and logged. So there is no password in them: who has the rest of
the request could find it out by trial.
"""

from __future__ import annotations

import re
from base64 import b64encode
from html import escape
from typing import Final

from soap_handler.xml.charsets import wide_codec

_HEADER_TAG: Final = re.compile(rb"<(/?)(?:[^\s<>/:]{1,64}:)?Header(?=[\s/>])[^<>]*>")


def operation_bytes(body: bytes, kept: bytes | None, password: str) -> bytes:
    """Return a request without its Header, where it has exactly one, and without passwords.

    ``kept`` is the request with its passwords masked. Where that cannot be had, each occurrence of the password goes.
    """
    source = _without(body, password) if kept is None else kept
    tags = list(_HEADER_TAG.finditer(source))
    if len(tags) == 2 and tags[1][1] and not tags[0][1] and not tags[0][0].endswith(b"/>"):
        return source[: tags[0].start()] + source[tags[1].end() :]
    return source


def _without(body: bytes, password: str) -> bytes:
    if not password:
        return body
    codecs = (wide_codec(body) or "utf-8", "cp1252")
    forms = {text.encode(codec, "replace") for text in (password, escape(password)) for codec in codecs}
    forms.add(b64encode(password.encode("utf-8", "replace")).rstrip(b"="))
    for form in sorted(forms, key=len, reverse=True):
        body = body.replace(form, b"")
    return body
