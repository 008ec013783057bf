"""The quick way to prepare a request, both of its steps at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from soap_handler.faces.soap.endpoint import Endpoint, Exchange


def prepare_quickly(endpoint: Endpoint, body: bytes, content_type: str) -> Exchange | None:
    """Return what the quick way makes of a request, or ``None`` where it leaves it to the general one."""
    (read,) = endpoint.read_usual([(body, content_type)])
    if read is None:
        return None
    (exchange,) = endpoint.check_usual([read])
    return exchange
