"""Candidates side by side: the same cells of the benchmark in turns, and the ratio of each pair of runs."""

from __future__ import annotations

import statistics
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.bench.candidates import Candidate

_SUMS: Final = ("refused", "missing", "extra")
_FIGURES: Final = ("rate", "p50_ms", "p99_ms", "cpu_us", "memory_mb", "dispatched", "worked_off")


class Reading(Protocol):
    """One run, a dataclass."""

    @property
    def rate(self) -> float:
        """How many a second."""


def campaign(
    candidates: Sequence[Candidate],
    cells: Mapping[str, Callable[[Candidate], Reading]],
    rounds: int,
    told: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Run every candidate in every cell; each round goes through them the other way round than the one before."""
    readings: dict[tuple[str, str], list[Reading]] = {(cell, each.name): [] for cell in cells for each in candidates}
    for number in range(rounds):
        for cell, run in cells.items():
            for candidate in candidates[:: 1 if number % 2 == 0 else -1]:
                told(f"round {number + 1}: {cell}, {candidate.name}")
                readings[cell, candidate.name].append(run(candidate))
    first = candidates[0].name
    return [_row(cell, name, group, readings[cell, first]) for (cell, name), group in readings.items()]


def _row(cell: str, name: str, group: Sequence[Reading], first: Sequence[Reading]) -> dict[str, Any]:
    pairs = [one.rate / other.rate for one, other in zip(group, first, strict=True)]
    values = [asdict(each) for each in group]  # type: ignore[call-overload] # a protocol cannot ask for a dataclass
    row = {
        "cell": cell,
        "candidate": name,
        "pairs": " ".join(f"{ratio:.2f}" for ratio in pairs),
        "ratio": statistics.median(pairs),
        "lowest": min(pairs),
        "highest": max(pairs),
    }
    row |= {figure: statistics.median(each[figure] for each in values) for figure in _FIGURES if figure in values[0]}
    return row | {figure: sum(each[figure] for each in values) for figure in _SUMS if figure in values[0]}
