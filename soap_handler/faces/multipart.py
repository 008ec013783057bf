"""Root part of ``multipart/related``, as MTOM and SOAP with Attachments send it. Other parts are not read.

The reader is our own, since the standard library's parser follows parts within parts to any depth. It takes one pass
over the body, and takes bare line feeds and a missing end for good.
"""

from __future__ import annotations

import quopri
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Final

from soap_handler.errors import PackagingError

if TYPE_CHECKING:
    from collections.abc import Iterator

_RELATED: Final = "multipart/related"
_PARAMETER: Final = re.compile(r""";\s*([\w-]{1,40})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))""", re.ASCII)
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_FOLD: Final = re.compile(r"\r?\n[ \t]+")
_MAX_PARTS: Final = 64
_MAX_BOUNDARY: Final = 70  # characters (RFC 2046, section 5.1.1)


def is_related(content_type: str) -> bool:
    """Whether a Content-Type is ``multipart/related``."""
    return content_type.lower().lstrip().startswith(_RELATED)


def root_part(body: bytes, content_type: str) -> tuple[bytes, str]:
    """Return the content and the Content-Type of the root part: the one that ``start`` names, or else the first.

    Raises:
        PackagingError: there is no boundary, or no part.
    """
    parameters = _parameters(content_type)
    boundary = parameters.get("boundary", "")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise PackagingError("The request is multipart without a usable boundary")
    start = _bare(parameters.get("start", ""))
    first = None
    for head, content in _parts(body, boundary.encode("latin-1", "replace")):
        if start and _bare(head.get("content-id", "")) == start:
            return _part(head, content, parameters)
        first = first or (head, content)
    if first is None:
        raise PackagingError("The request is multipart, and has no part")
    return _part(*first, parameters)


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    """Yield the head and the content of each part, in order."""
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    here: int | None = None
    for number, match in enumerate(delimiter.finditer(body)):
        if here is not None:
            yield _split(body[here : match.start()])
        if match[1] or number == _MAX_PARTS:
            return
        here = match.end()
    if here is not None:  # the end is missing; whether the content is whole, its reader finds out
        yield _split(body[here:])


def _split(part: bytes) -> tuple[dict[str, str], bytes]:
    """Return a part's head and content. The line end behind the delimiter is still at its start."""
    end = None if part.lstrip().startswith(b"<") else _HEAD_END.search(part)
    if end is None:  # a sender may forget the head, and the empty line behind it
        return {}, part.lstrip(b"\r\n")
    lines = _FOLD.sub(" ", part[: end.start()].decode("latin-1")).splitlines()
    fields = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in fields}, part[end.end() :]


def _part(head: dict[str, str], content: bytes, parameters: dict[str, str]) -> tuple[bytes, str]:
    encoding = head.get("content-transfer-encoding", "").lower()
    if encoding == "base64":
        try:
            content = b64decode(content)
        except ValueError as error:
            raise PackagingError("The root part of the request is not in its base64 encoding") from error
    elif encoding == "quoted-printable":
        content = quopri.decodestring(content)
    return content, head.get("content-type") or parameters.get("type", "text/xml")


def _parameters(content_type: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, quoted, token in _PARAMETER.findall(content_type):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or token)
    return found


def _bare(content_id: str) -> str:
    return content_id.strip().removeprefix("<").removesuffix(">")
