"""The history of one notification as a timeline: what happened, when, for how long, and how it ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from soap_handler.faces.origin import origin_of
from soap_handler.journal import Source, State, Step
from soap_handler.journal.questions.processes import process_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from soap_handler.journal import Attempt, Record

_CAME: Final = {
    Source.PUSH: "Pushed by EMS and stored",
    Source.INBOX: "Found in the inbox by reconciliation and stored",
    Source.TEST: "Pushed by soap-handler doctor as a test and stored; no handler is given it",
}
_LASTING: Final = {Step.HANDLE, Step.DELETE}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, or will."""

    at: datetime
    title: str
    tone: str = "plain"
    """good, bad, plain or next: the last is yet to come."""
    took: timedelta | None = None
    outcome: str | None = None
    error: str | None = None
    by: str | None = None
    """The process that did it, or what a person used."""
    origin: str | None = None
    """Of a push: the version of the API and the caller; of several, those of the last."""
    trace: tuple[str, ...] = ()
    content: bytes | None = field(default=None, repr=False)
    """Of another push: what it brought."""
    times: int = 1
    """How many deletes that failed alike, or further pushes, this stands for."""
    until: datetime | None = None
    """Where it stands for several: when the last of them was."""


def timeline(record: Record, history: Sequence[Attempt]) -> list[Entry]:
    """Return what happened to a notification, in order; what is due comes last."""
    first = Entry(record.received_at, _CAME[record.source], origin=origin_of(record))
    entries = [_entry(each) for each in history]
    if record.done_at is not None and record.source is not Source.TEST:
        deleted = any(each.step is Step.DELETE and each.outcome.startswith("ok") for each in history)
        entries.append(Entry(record.done_at, "Done: it has left the inbox" if deleted else "Done", "good"))
    if record.erased_at is not None:
        entries.append(Entry(record.erased_at, "Content erased with a phone number"))
    # Entries of one instant stay in the order in which they were written. Of two pushes at once, either may be stored.
    return [first, *sorted(entries, key=lambda entry: entry.at), *_next(record)]


def _entry(attempt: Attempt) -> Entry:
    title, tone = _told(attempt)
    is_one = attempt.times == 1
    return Entry(
        attempt.started_at,
        title,
        tone,
        took=attempt.ended_at - attempt.started_at if is_one and attempt.step in _LASTING else None,
        outcome=attempt.outcome,
        error=attempt.error,
        by=None if attempt.step is Step.PUSH else _by(attempt.owner),
        origin=origin_of(attempt),
        trace=tuple(attempt.trace.splitlines()) if attempt.trace else (),
        content=attempt.envelope,
        times=attempt.times,
        until=None if is_one else attempt.ended_at,
    )


_ENDED: Final = {
    (Step.HANDLE, "ok"): ("Handled", "good"),
    (Step.HANDLE, "failed"): ("Handling failed", "bad"),
    (Step.HANDLE, "ignored"): ("Ignored: no handler takes this kind, on purpose", "plain"),
    (Step.HANDLE, "paused"): ("Not delivered: the destination is paused", "bad"),
    (Step.HANDLE, "dead"): ("Dead without another attempt", "bad"),
    (Step.HANDLE, "lost"): ("Handling was lost with its process", "bad"),
    (Step.DELETE, "ok"): ("Deleted from the inbox, confirmed by EMS", "good"),
    (Step.DELETE, "failed"): ("Delete from the inbox failed", "bad"),
    (Step.DELETE, "lost"): ("Delete from the inbox was lost with its process", "bad"),
    (Step.PUSH, "duplicate"): ("Pushed again: a duplicate, which changes nothing", "plain"),
    (Step.REPLAY, "replayed"): ("Sent round again by hand", "plain"),
    (Step.GIVE_UP, "given up"): ("Given up by hand", "bad"),
}
"""The title and the tone of each end of a step. An end that came after its lease has more words behind it."""


def _told(attempt: Attempt) -> tuple[str, str]:
    outcome = attempt.outcome.partition(",")[0]
    if attempt.step is Step.PUSH and attempt.owner == Source.INBOX.value:
        return "Found in the inbox as well", "plain"
    if attempt.step is Step.PUSH and attempt.envelope is not None:
        return "Pushed again: a duplicate with another content, which is kept", "plain"
    return _ENDED.get((attempt.step, outcome), (f"{attempt.step.value}: {attempt.outcome}", "plain"))


def _by(owner: str) -> str:
    """Return the host and process that an owner names; what a person used is named as it is."""
    process = process_of(owner)
    return f"{process[0]}, process {process[1]}" if process else owner


def _next(record: Record) -> Iterator[Entry]:
    if record.due_at is None or record.state not in {State.RECEIVED, State.HANDLED}:
        return
    what = "handler" if record.state is State.RECEIVED else "delete from the inbox"
    if record.leased:
        yield Entry(record.due_at, f"In work: the {what}; unless it ends before, its lease runs out", "next")
    else:
        yield Entry(record.due_at, f"Next: the {what} is due", "next")
