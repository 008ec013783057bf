"""Admission control: how much of the machine handling and deleting may take. The plain way takes all it wants."""

from __future__ import annotations

from typing import Protocol


class Admission(Protocol):
    """Admission control for claims and deletes: the seam where load shedding is put in.

    The claim loop asks from one thread; any thread may ask for :attr:`delete_gap`.
    """

    def allows(self, wanted: int) -> int:
        """Return how many of the wanted claims may be made now."""

    @property
    def pause(self) -> float:
        """Back-pressure: for how many seconds to leave the machine to receiving before the next claim."""

    @property
    def delete_gap(self) -> float:
        """Back-pressure: for how many seconds to leave the machine to receiving between two calls of an inbox."""

    def burst_begins(self) -> bool:
        """Whether a burst is on or has just begun, also at another process: then the claim loop must not sleep."""


class Unlimited:
    """Admits everything at once: handling competes with receiving on equal terms."""

    pause = 0.0
    delete_gap = 0.0

    def allows(self, wanted: int) -> int:
        """Admit all."""
        return wanted

    def burst_begins(self) -> bool:
        """No burst is ever looked for."""
        return False
