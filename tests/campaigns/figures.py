"""What a campaign counted, and what was not as promised; as a table for people and as JSON. Nothing is run here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

COUNTS: Final = ("pushed", "acknowledged", "handled", "handled_twice", "deleted", "missing")


class PromiseBrokenError(Exception):
    """Something did not happen as the service promises, and going on makes no sense."""


class TooLateError(PromiseBrokenError):
    """Something did not happen within the time that was set for it: it is broken, or the machine was busy."""


class SkippedError(Exception):
    """This machine lacks what the campaign needs; the text says what."""


@dataclass(slots=True, kw_only=True)
class Figures:
    """The outcome of one campaign."""

    campaign: str
    pushed: int = 0
    """Distinct notifications that happened at EMS."""
    acknowledged: int = 0
    """How many of them were answered with 200 at least once."""
    handled: int = 0
    handled_twice: int = 0
    """How many the handler began again without having failed; each was running when its process was stopped."""
    deleted: int = 0
    """Messages that left the EMS inbox."""
    missing: int = 0
    """Acknowledged or in the inbox, and not handled to the end (or not in the journal)."""
    special: dict[str, Any] = field(default_factory=dict)
    """What this campaign alone counts."""
    broken: list[str] = field(default_factory=list)
    """A sentence for each broken promise."""
    late: bool = False
    """Whether a wait ran out of time and ended the campaign; the other broken promises may follow from that."""
    skipped: str = ""
    seconds: float = 0.0

    def add(self, more: Figures) -> None:
        """Add the counts of another site of the same campaign."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(more, name))
        self.special |= more.special
        self.broken += more.broken

    def summary(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)


def show(outcomes: Iterable[Figures]) -> None:
    """Print a table, and below it a sentence for each broken promise."""
    console = Console(width=160)
    table = Table("campaign", *(name.replace("_", " ") for name in COUNTS), "and", "seconds", "promises")
    lines = []
    for each in outcomes:
        counts = [] if each.skipped else [str(getattr(each, name)) for name in COUNTS]
        special = each.skipped or ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in each.special.items())
        kept = "skipped" if each.skipped else "late" if each.late else "broken" if each.broken else "kept"
        table.add_row(each.campaign, *(counts or [""] * len(COUNTS)), special, f"{each.seconds:.1f}", kept)
        lines += [f"{each.campaign}: {sentence}" for sentence in each.broken]
    console.print(table)
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
