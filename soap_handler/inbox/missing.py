"""Missed messages, held back until all of a list has come: they are stored in the order in which EMS received them.

EMS may list the newest message first. Held back, a message takes some hundred bytes: each part of the list is sorted
and compressed, and the parts are merged at the end (an external merge sort, in memory).
"""

from __future__ import annotations

import heapq
import pickle
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from soap_handler.journal import Entry

_BLOCK_ENTRIES: Final = 50  # that are compressed together; of each part of the list, one block is open at a time
_QUICK: Final = 1  # the level of compression


class Missing:
    """Entries that are to be journaled, in the order of their arrival. For one thread."""

    def __init__(self) -> None:
        self._parts: list[list[bytes]] = []

    def add(self, entries: Iterable[Entry]) -> None:
        """Hold back some entries."""
        in_order = sorted(entries, key=_arrival)
        blocks = (in_order[at : at + _BLOCK_ENTRIES] for at in range(0, len(in_order), _BLOCK_ENTRIES))
        self._parts.append([zlib.compress(pickle.dumps(block), _QUICK) for block in blocks])

    def in_order(self) -> Iterator[Entry]:
        """Yield all, the first that arrived first; what has no time comes last, as it was listed."""
        return heapq.merge(*map(_entries, self._parts), key=_arrival)


def _entries(part: Iterable[bytes]) -> Iterator[Entry]:
    for block in part:
        yield from pickle.loads(zlib.decompress(block))  # noqa: S301 - it was made above


def _arrival(entry: Entry) -> tuple[bool, float]:
    """Return what to sort by: when EMS received the message."""
    received_at = getattr(entry.notification, "received_at", None)
    return received_at is None, received_at.timestamp() if received_at else 0.0
