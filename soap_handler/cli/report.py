"""The books of a demonstration: what EMS, the journal and the handler counted, and whether they agree."""

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
class Books:
    """What each side says at the end. Notifications are told apart by their key."""

    ordered: Mapping[str, Kind]
    """What EMS was told to push."""
    unacknowledged: Mapping[str, str]
    """What EMS would still push, and how its last call failed."""
    ems: Counts
    journal: Mapping[str, State]
    """What the journal holds."""
    handled: frozenset[str]
    """What the handler returned from."""
    seconds: float

    @property
    def lost(self) -> frozenset[str]:
        """What EMS was told that we have, and our handler never returned from."""
        return frozenset(self.ordered) - self.unacknowledged.keys() - self.handled

    def in_state(self, *states: State) -> frozenset[str]:
        """Return what the journal holds in one of these states."""
        return frozenset(key for key, state in self.journal.items() if state in states)

    @property
    def messages(self) -> frozenset[str]:
        """The received messages among what was ordered: these alone are in the inbox."""
        return frozenset(key for key, kind in self.ordered.items() if kind is Kind.MESSAGE_RECEIVED)


def summary(books: Books) -> dict[str, Any]:
    """Return the counts as plain values."""
    return {
        "pushed": books.ems.pushed,
        "acknowledged": books.ems.acknowledged,
        "sends": books.ems.sends,
        "duplicates": books.ems.duplicates,
        "lost_answers": books.ems.lost_answers,
        "stored": len(books.journal),
        "handled": len(books.handled),
        "deleted": books.ems.deleted,
        "inbox_left": books.ems.inbox,
        "lost": len(books.lost),
        "dead": len(books.in_state(State.DEAD)),
        "seconds": round(books.seconds, 2),
    }


def problems(books: Books) -> list[str]:
    """Return a sentence for everything that is not as promised, and for every two sides that disagree."""
    return [text for text, wrong in (*_broken_promises(books), *_disagreements(books)) if wrong]


def _broken_promises(books: Books) -> list[tuple[str, bool]]:
    dead = len(books.in_state(State.DEAD))
    reasons = "; ".join(sorted(set(books.unacknowledged.values()))[:3])
    return [
        (f"not acknowledged: {len(books.unacknowledged)} notifications ({reasons})", bool(books.unacknowledged)),
        (f"lost: {len(books.lost)} notifications were acknowledged but not handled", bool(books.lost)),
        (f"dead: {dead} notifications ran out of attempts", dead > 0),
        (f"the inbox still holds {books.ems.inbox} messages", books.ems.inbox > 0),
    ]


def _disagreements(books: Books) -> list[tuple[str, bool]]:
    done = books.in_state(State.DONE)
    finished = books.in_state(State.HANDLED, State.DONE)
    deleted = len(done & books.messages)
    return [
        (
            f"EMS counted {books.ems.pushed} notifications, {len(books.ordered)} were ordered",
            books.ems.pushed != len(books.ordered),
        ),
        (
            f"EMS counted {books.ems.acknowledged} acknowledged, the journal holds {len(books.journal)}",
            books.ems.acknowledged != len(books.journal) or not books.journal.keys() <= books.ordered.keys(),
        ),
        (
            f"the handler returned from {len(books.handled)}, the journal has {len(finished)} as handled",
            books.handled != finished,
        ),
        (
            f"EMS deleted {books.ems.deleted} messages, the journal has {deleted} as deleted",
            books.ems.deleted != deleted,
        ),
    ]


def table(books: Books) -> Table:
    """Return the three sides beside each other."""
    ems, done = books.ems, books.in_state(State.DONE)
    finished = books.in_state(State.HANDLED, State.DONE)
    rows: list[tuple[object, ...]] = [
        ("notifications", ems.pushed, "", ""),
        ("calls, duplicates among them", f"{ems.sends}, {ems.duplicates}", "", ""),
        ("answers that were lost", ems.lost_answers, "", ""),
        ("acknowledged, stored", ems.acknowledged, len(books.journal), ""),
        ("handled", "", len(finished), len(books.handled)),
        ("deleted from the inbox", ems.deleted, len(done & books.messages), ""),
        ("left in the inbox", ems.inbox, len(books.in_state(State.HANDLED)), ""),
        ("dead", "", len(books.in_state(State.DEAD)), ""),
        ("lost", "", "", len(books.lost)),
    ]
    return Table(f"What became of them, in {books.seconds:.1f} s", ("", "EMS", "journal", "handler"), rows)
