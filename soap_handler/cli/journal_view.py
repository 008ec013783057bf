"""Views of the journal: records as tables and as JSON, and the journal opened from outside the service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from soap_handler.cli import configuration
from soap_handler.cli.display import Table
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Journal, Selection, Source, State, Step
from soap_handler.notifications import to_dict
from soap_handler.settings import name_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from soap_handler.journal import Attempt, Record
    from soap_handler.notifications import Kind

_STEPS: Final = {
    Step.HANDLE: "handler called",
    Step.DELETE: "delete called",
    Step.PUSH: "pushed again, with another content, which is kept",
    Step.REPLAY: "sent round again by journal replay",
}
_CAME: Final = {
    Source.PUSH: "pushed by EMS and stored",
    Source.INBOX: "found in the inbox and stored",
    Source.TEST: "pushed by soap-handler doctor as a test and stored; no handler is given it",
}


def open_journal(config: Path | None) -> Journal:
    """Open the journal of a configuration; a service that runs is not disturbed.

    Raises:
        SettingsError: the configuration cannot be used.
        JournalUnavailableError: there is no journal yet, or it cannot be opened.
        SchemaError: it is of a newer release.
    """
    settings = configuration.load(config).journal
    url = make_url(settings.url.get_secret_value())
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise JournalUnavailableError(f"there is no journal at {url.database}")
    try:
        return Journal(settings.url.get_secret_value(), timeout=settings.timeout, create=False)
    except ArgumentError as error:  # no such driver
        raise JournalUnavailableError(f"the journal cannot be opened: {error}") from error


def names_of(config: Path | None, account: str | None) -> tuple[str, ...] | None:
    """Return all names of the account that is called so, its reference first; of an unknown one, the name itself."""
    if account is None:
        return None
    for each in configuration.load(config).account:
        names = (each.reference, *each.aliases)
        if name_key(account) in {name_key(name) for name in names}:
            return names
    return (account,)


def selection(
    *,
    state: str | None = None,
    kind: Kind | None = None,
    account: tuple[str, ...] | None = None,
    originator: str | None = None,
    key: str | None = None,
    message_id: str | None = None,
) -> Selection:
    """Return the selection that the options describe.

    Raises:
        typer.BadParameter: there is no such state.
    """
    try:
        wanted = State(state.lower()) if state else None
    except ValueError:
        raise typer.BadParameter(f"--state is {state!r}; expected one of {', '.join(State)}") from None
    return Selection(state=wanted, kind=kind, account=account, originator=originator, key=key, message_id=message_id)


def open_gates(journal: Journal, account: tuple[str, ...] | None, *, dry_run: bool) -> tuple[int, int]:
    """Have refused inbox logins tried again at once, of one account or of all.

    Return how many there are, and how many deletes are due by that which were not. A ``dry_run`` changes nothing.
    """
    names: tuple[str | None, ...] = account or (None,)
    logins = sum(bool(gate.refusals) for name in names for gate in journal.gates.closed(name))
    if dry_run:
        return logins, journal.count_held_back(Selection(state=State.HANDLED, account=account))
    return logins, sum(journal.gates.open(name) for name in names)


def summary(record: Record) -> dict[str, Any]:
    """Return the journal's columns of a notification as plain values, without its content."""
    return {
        "key": record.key,
        "account": record.account,
        "kind": record.kind.value,
        "state": record.state.value,
        "source": record.source.value,
        "originator": record.originator,
        "received_at": instant(record.received_at),
        "handled_at": instant(record.handled_at),
        "done_at": instant(record.done_at),
        "due_at": instant(record.due_at),
        "attempts": record.attempts,
        "delete_attempts": record.delete_attempts,
        "leased": record.leased,
        "erased_at": instant(record.erased_at),
    }


def whole(record: Record, history: Sequence[Attempt]) -> dict[str, Any]:
    """Return a notification with its content and each attempt as plain values."""
    attempts = [
        {
            "step": attempt.step.value,
            "started_at": instant(attempt.started_at),
            "ended_at": instant(attempt.ended_at),
            "outcome": attempt.outcome,
            "error": attempt.error,
            "times": attempt.times,
            **({"envelope": attempt.envelope.decode("utf-8", "replace")} if attempt.envelope is not None else {}),
            **({"trace": attempt.trace.splitlines()} if attempt.trace is not None else {}),
        }
        for attempt in history
    ]
    return {**summary(record), "notification": to_dict(record.notification), "history": attempts}


def overview(found: Sequence[Record]) -> Table:
    """Return the list of records for people."""
    rows = [(instant(each.received_at), _state(each), each.attempts, each.originator or "", each.key) for each in found]
    return Table("", ("received", "state", "attempts", "originator", "key"), rows)


def pages(record: Record, history: Sequence[Attempt]) -> list[Table]:
    """Return one record for people: its content, its history, and where the last attempt failed."""
    content = [(name, "" if value is None else value) for name, value in to_dict(record.notification).items()]
    state = [("state", _state(record)), ("due at", instant(record.due_at) or "")]
    if record.erased_at is not None:
        state.append(("erased at", instant(record.erased_at) or ""))
    shown = [
        Table(f"{record.kind} {record.key}", ("", ""), [*content, *state]),
        Table("History", ("time", "what", "how it ended"), _history(record, history)),
    ]
    traces = [attempt.trace for attempt in history if attempt.trace]
    if traces:
        shown.append(
            Table("Where it failed last (> is your code)", ("",), [(line,) for line in traces[-1].splitlines()])
        )
    return shown


def _state(record: Record) -> str:
    return f"{record.state.value} (test)" if record.source is Source.TEST else record.state.value


def _history(record: Record, history: Sequence[Attempt]) -> list[tuple[object, ...]]:
    """Return the history of a notification line by line: stored, each attempt, handled, deleted."""
    deleted = any(attempt.step.value == "delete" for attempt in history)
    came = _CAME[record.source]
    lines: list[tuple[datetime | None, int, str, str]] = [(record.received_at, 0, came, "")]
    for attempt in history:
        what = _STEPS[attempt.step]
        again = f"({attempt.times} times, last at {instant(attempt.ended_at)})" if attempt.times > 1 else ""
        lines.append((attempt.started_at, 1, what, f"{attempt.outcome} {attempt.error or ''} {again}".strip()))
    lines.append((record.handled_at, 2, "handled", ""))
    lines.append((record.done_at, 3, "deleted from the inbox; done" if deleted else "done", ""))
    ordered = sorted((at, order, what, end) for at, order, what, end in lines if at is not None)
    return [(instant(at), what, end) for at, _, what, end in ordered]


def instant(moment: datetime | None) -> str | None:
    """Return a time as all commands print it."""
    return moment.isoformat().replace("+00:00", "Z") if moment else None
