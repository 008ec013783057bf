"""Report of a demonstration: the counts of EMS, journal and handler, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from soap_handler.cli.display import Table
from soap_handler.journal import State
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from soap_handler.ems import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Counts of the three sides at the end. Notifications are identified by key."""

    ordered: Mapping[str, Kind]
    """Notifications that EMS was told to push."""
    unacknowledged: Mapping[str, str]
    """Notifications that EMS would still push, and how the last call failed."""
    ems: Counts
    journal: Mapping[str, State]
    """States in the journal."""
    handled: frozenset[str]
    """Notifications that the handler returned from."""
    seconds: float

    @property
    def lost(self) -> frozenset[str]:
        """Notifications that were acknowledged to EMS and never handled."""
        return frozenset(self.ordered) - self.unacknowledged.keys() - self.handled

    def in_state(self, *states: State) -> frozenset[str]:
        """Return the keys of the notifications in one of these states."""
        return frozenset(key for key, state in self.journal.items() if state in states)

    @property
    def messages(self) -> frozenset[str]:
        """Keys of the received messages among those pushed: only these are in the inbox."""
        return frozenset(key for key, kind in self.ordered.items() if kind is Kind.MESSAGE_RECEIVED)


def summary(report: Report) -> dict[str, Any]:
    """Return the counts as plain values."""
    return {
        "pushed": report.ems.pushed,
        "acknowledged": report.ems.acknowledged,
        "sends": report.ems.sends,
        "duplicates": report.ems.duplicates,
        "lost_answers": report.ems.lost_answers,
        "stored": len(report.journal),
        "handled": len(report.handled),
        "deleted": report.ems.deleted,
        "inbox_left": report.ems.inbox,
        "lost": len(report.lost),
        "dead": len(report.in_state(State.DEAD)),
        "seconds": round(report.seconds, 2),
    }


def problems(report: Report) -> list[str]:
    """Return a sentence for each broken promise and each two sides that disagree."""
    return [text for text, wrong in (*_broken_promises(report), *_disagreements(report)) if wrong]


def _broken_promises(report: Report) -> list[tuple[str, bool]]:
    dead = len(report.in_state(State.DEAD))
    reasons = "; ".join(sorted(set(report.unacknowledged.values()))[:3])
    return [
        (f"not acknowledged: {len(report.unacknowledged)} notifications ({reasons})", bool(report.unacknowledged)),
        (f"lost: {len(report.lost)} notifications were acknowledged but not handled", bool(report.lost)),
        (f"dead: {dead} notifications ran out of attempts", dead > 0),
        (f"the inbox still holds {report.ems.inbox} messages", report.ems.inbox > 0),
    ]


def _disagreements(report: Report) -> list[tuple[str, bool]]:
    done = report.in_state(State.DONE)
    finished = report.in_state(State.HANDLED, State.DONE)
    deleted = len(done & report.messages)
    return [
        (
            f"EMS counted {report.ems.pushed} notifications, {len(report.ordered)} were ordered",
            report.ems.pushed != len(report.ordered),
        ),
        (
            f"EMS counted {report.ems.acknowledged} acknowledged, the journal holds {len(report.journal)}",
            report.ems.acknowledged != len(report.journal) or not report.journal.keys() <= report.ordered.keys(),
        ),
        (
            f"the handler returned from {len(report.handled)}, the journal has {len(finished)} as handled",
            report.handled != finished,
        ),
        (
            f"EMS deleted {report.ems.deleted} messages, the journal has {deleted} as deleted",
            report.ems.deleted != deleted,
        ),
    ]


def table(report: Report) -> Table:
    """Return the three sides side by side."""
    ems, done = report.ems, report.in_state(State.DONE)
    finished = report.in_state(State.HANDLED, State.DONE)
    rows: list[tuple[object, ...]] = [
        ("notifications", ems.pushed, "", ""),
        ("calls, duplicates among them", f"{ems.sends}, {ems.duplicates}", "", ""),
        ("answers that were lost", ems.lost_answers, "", ""),
        ("acknowledged, stored", ems.acknowledged, len(report.journal), ""),
        ("handled", "", len(finished), len(report.handled)),
        ("deleted from the inbox", ems.deleted, len(done & report.messages), ""),
        ("left in the inbox", ems.inbox, len(report.in_state(State.HANDLED)), ""),
        ("dead", "", len(report.in_state(State.DEAD)), ""),
        ("lost", "", "", len(report.lost)),
    ]
    return Table(f"What became of them, in {report.seconds:.1f} s", ("", "EMS", "journal", "handler"), rows)
