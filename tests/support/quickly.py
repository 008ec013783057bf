"""The quick way to prepare one request: the seam for several at once, given one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler.faces.base import Request

if TYPE_CHECKING:
    from soap_handler.faces.base import Exchange, Face


def prepare_quickly(
    face: Face, body: bytes, content_type: str, path: str = "", authorization: str = ""
) -> Exchange | None:
    """Return what the quick way makes of a request, or ``None`` where it leaves it to the general one."""
    assert face.read_many is not None
    (exchange,) = face.read_many([Request(body, "127.0.0.1", content_type, path, authorization)])
    return exchange
