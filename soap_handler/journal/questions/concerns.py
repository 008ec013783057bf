"""What needs a person, as sentences. Pure: it judges an overview and asks nothing; where to look, views say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from soap_handler.journal.records import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.journal.questions.overview import Overview
    from soap_handler.journal.questions.waiting import Waiting

IDLE: Final = timedelta(minutes=5)
"""What is due for so long, while no attempt ended, shows that no service works on it."""
LATE: Final = timedelta(hours=1)
"""A notification that waits for longer does so for a reason that a person should know."""


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that does not mend itself."""

    text: str
    """What is the matter, in a sentence."""
    about: Literal["waiting", "dead", "inbox", "notification", "reconciliation"]
    """Where to look."""
    of: str = ""
    """The key of the notification, or the account."""


def concerns(seen: Overview) -> list[Concern]:
    """Return each thing that does not mend itself, the gravest first; empty where all is well."""
    return [*_standing(seen), *_dead(seen), *_refused(seen), *_late(seen), *_reconciliations(seen)]


def _standing(seen: Overview) -> Iterator[Concern]:
    """Say that no service works on what is due."""
    pace = seen.pace
    if any(flow.count for flow in (pace.handled, pace.failed, pace.deleted, pace.delete_failed)):
        return
    for waiting, what in ((seen.handling, "its handler"), (seen.deleting, "its delete")):
        if waiting.due and not waiting.in_work and _due_for(seen, waiting) >= IDLE:
            text = f"{waiting.due:,} due for {what}, and nothing happened in the last minutes: does the service run?"
            yield Concern(text, "waiting")


def _due_for(seen: Overview, waiting: Waiting) -> timedelta:
    return timedelta() if waiting.due_since is None else seen.at + seen.ahead - waiting.due_since


def _dead(seen: Overview) -> Iterator[Concern]:
    dead = seen.states[State.DEAD]
    if dead:
        most = f", most of them by: {seen.deaths[0].error or 'no error'}" if seen.deaths else ""
        yield Concern(f"{dead:,} dead{most}.", "dead")


def _refused(seen: Overview) -> Iterator[Concern]:
    for inbox in seen.inboxes:
        text = f"EMS refuses the inbox login of {inbox.account} ({inbox.refusals} times in a row): {inbox.reason}."
        yield Concern(f"{text} Correct the password and reload.", "inbox", inbox.account)


def _late(seen: Overview) -> Iterator[Concern]:
    for waiting, what in ((seen.handling, "its handler"), (seen.deleting, "its delete from the inbox")):
        if waiting.oldest_is_again:
            continue
        if waiting.oldest_at is not None and seen.at - waiting.oldest_at >= LATE:
            age = (seen.at - waiting.oldest_at) // timedelta(hours=1)
            text = f"the oldest has waited for {what} for {age} h."
            yield Concern(text, "notification", waiting.oldest_key or "")


def _reconciliations(seen: Overview) -> Iterator[Concern]:
    for run in seen.reconciliations:
        if run.error is not None:
            text = f"the last reconciliation of {run.account} failed: {run.error}."
            yield Concern(text, "reconciliation", run.account)
