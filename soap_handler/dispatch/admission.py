"""Admission control: how much of the machine handling and deleting may take. The plain way takes all it wants."""

from __future__ import annotations


class Admission:
    """Admission control for claims and deletes, without a limit: handling competes with receiving on equal terms.

    It is the seam where load shedding is put in. Each destination has one, whose claim loop asks from one thread; any
    thread may ask for :attr:`pause` and :attr:`delete_gap`.
    """

    def allows(self, wanted: int, cost: float = 1.0) -> int:  # noqa: ARG002 - load shedding goes by it
        """Return how many of the wanted claims may be made now: all.

        ``cost`` is the CPU time of one, as a multiple of that of a handler that does nothing.
        """
        return wanted

    def give_back(self, count: int) -> None:
        """Take back claims that were allowed and not made, as there was no work for them."""

    @property
    def pause(self) -> float:
        """Back-pressure: for how many seconds to leave the machine to receiving before the next claim."""
        return 0.0

    @property
    def delete_gap(self) -> float:
        """Back-pressure: for how many seconds to leave the machine to receiving between two calls of an inbox."""
        return 0.0

    def in_burst(self) -> bool:
        """Whether a burst is on or has just begun, also at another process: then the claim loop must not sleep."""
        return False
