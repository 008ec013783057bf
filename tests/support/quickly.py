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


def assert_alike(quick: Exchange | None, general: Exchange) -> None:
    """Check that the quick way says what the general way says, or nothing."""
    if quick is None:
        return
    assert quick.answer == general.answer
    if quick.entry is None:
        assert general.entry is None, "the fast way refuses what the general way takes"
        return
    assert general.entry is not None, "the fast way takes what the general way refuses"
    assert quick.entry.notification == general.entry.notification, "the fast way reads other values"
    assert quick.entry.envelope is general.entry.envelope is None
