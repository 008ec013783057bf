"""Waiting for what happens elsewhere: in another thread, process or database."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable

_SHORTEST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.05
_BETWEEN_COLLECTIONS: Final = 0.5


def wait_for(condition: Callable[[], object], seconds: float = 60.0, what: Callable[[], object] = str) -> None:
    """Poll until the condition holds; fail when it does not in time, with ``what`` was seen then.

    The deadline is far: it is there for what never happens, and a busy machine must not reach it.
    """
    begun = time.monotonic()
    while not condition():
        waited = time.monotonic() - begun
        assert waited < seconds, f"it did not happen in time {what()}"
        time.sleep(pause_after(waited))


def wait_until_let_go(reference: weakref.ref[Any], seconds: float = 60.0) -> None:
    """Wait until nothing holds an object; it may be in a cycle, and to look for those among all tests takes long."""
    begun = time.monotonic()
    while gc.collect() >= 0 and reference() is not None:
        assert time.monotonic() - begun < seconds, f"it is still held by {gc.get_referrers(reference())}"
        time.sleep(_BETWEEN_COLLECTIONS)


def pause_after(waited: float) -> float:
    """Return how long (seconds) to pause between two polls after so long a wait: polling must not eat the machine."""
    return min(max(waited / 10, _SHORTEST_PAUSE), _LONGEST_PAUSE)
