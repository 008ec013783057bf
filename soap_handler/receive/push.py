"""What a face read off the wire, whichever face it was: the texts of a push, before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.accounts.authentication import Credentials
    from soap_handler.notifications import Kind


Fields = Mapping[str, "str | Fields | None"]
"""Texts by attribute name, as a face read them. A structure is a mapping. An absent parameter is absent or ``None``."""


def _no_envelope() -> None:
    return None


def _as_kept(kept: bytes | None) -> bytes:
    return kept or b""


@dataclass(frozen=True, slots=True)
class Push:
    """What a face read off the wire, whichever face it was."""

    kind: Kind
    fields: Fields
    credentials: Credentials | None
    caller: str
    """The address of the caller."""
    repaired: tuple[str, ...] = ()
    """What the face had to mend before it could read the request."""
    envelope: Callable[[], bytes | None] = _no_envelope
    """Gives the request as it came, password masked. Called where it was repaired, or a sink writes requests."""
    optional: frozenset[str] = frozenset()
    """Attributes that this version of the API may leave out."""
    doubtful: frozenset[str] = frozenset()
    """Attributes of which more than one text came, or one in a doubtful place."""
    operation: Callable[[bytes | None], bytes] = _as_kept
    """Gives the operation as it came, without credentials, from what ``envelope`` gave. Called as that is."""
    others: tuple[Push, ...] = ()
    """Further notifications of the same request, from the same caller with the same credentials."""
    size: int | None = None
    """Of the request's body in bytes, for the log; ``None`` where that is not known."""
    api: str | None = None
    """The version of the API (``faces.origin``)."""
