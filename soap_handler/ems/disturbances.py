"""Fault injection between EMS and its callers: what goes wrong, how often, and for which notifications."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from soap_handler.ems.outages import QUICK_KINDS, OutageKind

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbances:
    """Faults to inject. Shares are between 0 and 1, times in seconds; the default is none.

    Raises:
        ValueError: a share is not between 0 and 1.
    """

    duplicates: float = 0.0
    """Share of the notifications that are pushed once more although they were answered with 200."""
    lost_answers: float = 0.0
    """Share of the notifications whose first answer is dropped after the handler gave it."""
    late: float = 0.0
    """Share of the notifications that are held back for ``late_by``, so that others overtake them."""
    late_by: float = 0.5
    reordered: float = 0.0
    """Share of the notifications that are held back for up to ``reorder_by``, so that the next ones overtake them."""
    reorder_by: float = 0.05
    bursts: float = 0.0
    """Share of the notifications that wait for the next burst; there is one every ``burst_every``."""
    burst_every: float = 0.5
    upper_case_ids: float = 0.0
    """Share of the notifications whose id is written in capitals (contract, section 4: either case)."""
    inbox_outages: float = 0.0
    """Share of the inbox calls that begin an outage of one to three calls."""
    outage_kinds: tuple[OutageKind, ...] = QUICK_KINDS
    """The kinds of outage from which ``inbox_outages`` draws."""
    slow: float = 0.5
    """Delay of a slow inbox's answer."""

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            if spec.name in _SHARES and not 0 <= getattr(self, spec.name) <= 1:
                raise ValueError(f"{spec.name} is {getattr(self, spec.name)!r}; expected a share between 0 and 1")


_SHARES = frozenset({"duplicates", "lost_answers", "late", "reordered", "bursts", "upper_case_ids", "inbox_outages"})


@dataclass(frozen=True, slots=True)
class PushPlan:
    """The faults of one notification's push. Times are in seconds."""

    duplicate: bool
    lose_answer: bool
    wait: float
    in_burst: bool
    upper_case_id: bool

    def due(self, now: float, burst_every: float) -> float:
        """Return when to send it first, on the clock of ``now``."""
        if self.in_burst:
            return math.ceil(now / burst_every) * burst_every + self.wait
        return now + self.wait


def plan_push(ordered: Disturbances, rng: Random) -> PushPlan:
    """Draw the faults of the next notification. The number of draws is always the same, so shares are independent."""
    late, reordered = rng.random() < ordered.late, rng.random() < ordered.reordered
    held_back = rng.uniform(0, ordered.reorder_by)
    return PushPlan(
        duplicate=rng.random() < ordered.duplicates,
        lose_answer=rng.random() < ordered.lost_answers,
        wait=late * ordered.late_by + reordered * held_back,
        in_burst=rng.random() < ordered.bursts,
        upper_case_id=rng.random() < ordered.upper_case_ids,
    )
