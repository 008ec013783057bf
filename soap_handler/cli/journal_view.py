"""Views of the journal: records as tables and as JSON, and the journal opened from outside the service."""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from soap_handler import times
from soap_handler.cli import configuration
from soap_handler.cli.columns import on_terminal
from soap_handler.cli.display import Table
from soap_handler.errors import JournalUnavailableError
from soap_handler.faces.origin import origin_of
from soap_handler.journal import Journal, Selection, Source, State, Step, questions
from soap_handler.notifications import stored_values
from soap_handler.settings import account_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from soap_handler.journal import Attempt, Record

_STEPS: Final = {
    Step.HANDLE: "handler called",
    Step.DELETE: "delete called",
    Step.PUSH: "pushed again",
    Step.REPLAY: "sent round again by hand",
    Step.GIVE_UP: "given up by hand",
}
_LASTING: Final = {Step.HANDLE, Step.DELETE}
_NAMES_SHOWN: Final = 20
_KEYS_SHOWN: Final = 10
_ROWS_PER_QUERY: Final = 1_000
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


def names_of(config: Path | None, account: str | None, journal: Journal) -> tuple[str, ...] | None:
    """Return all names of the account that is called so, its reference first.

    A name that only the journal has, as that of an account which was removed, is taken as it is.

    Raises:
        typer.BadParameter: neither the configuration nor the journal has such an account.
    """
    if account is None:
        return None
    accounts = configuration.load(config).account
    if known := account_of(account, accounts):
        return known.names
    if journal.read(lambda connection: questions.has_account(connection, account)):
        return (account,)
    listed = ", ".join(each.reference for each in accounts[:_NAMES_SHOWN]) or "none, as the configuration has none"
    raise typer.BadParameter(f"--account is {account!r}, which no account is called; expected one of {listed}")


def state_of(name: str | None) -> State | None:
    """Return the state of a name.

    Raises:
        typer.BadParameter: there is no such state.
    """
    try:
        return State(name.lower()) if name else None
    except ValueError:
        raise typer.BadParameter(f"--state is {name!r}; expected one of {', '.join(State)}") from None


def whole_key(journal: Journal, beginning: str) -> str:
    """Return the key that begins so, or whose message id does; what the journal has not is returned as it is.

    Raises:
        typer.Exit: it is the beginning of several, which are listed.
    """
    found = journal.read(lambda connection: questions.keys_like(connection, beginning, _KEYS_SHOWN + 1))
    if len(found) > 1:
        more = "\n  and more" if len(found) > _KEYS_SHOWN else ""
        listed = "".join(f"\n  {key}" for key in sorted(found)[:_KEYS_SHOWN])
        typer.echo(f"soap-handler: {beginning} is the beginning of several keys:{listed}{more}", err=True)
        raise typer.Exit(2)
    return found[0] if found else beginning


def open_gates(journal: Journal, account: tuple[str, ...] | None, *, dry_run: bool) -> tuple[int, int]:
    """Have refused inbox logins tried again at once, of one account or of all.

    Return how many there are, and how many deletes are due by that which were not. A ``dry_run`` changes nothing.
    """
    names: tuple[str | None, ...] = account or (None,)
    logins = sum(bool(gate.refusals) for name in names for gate in journal.gates.closed(name))
    if dry_run:
        return logins, journal.count_held_back(Selection(state=State.HANDLED, account=account))
    return logins, sum(journal.gates.open(name) for name in names)


def summaries(journal: Journal, found: Sequence[Record]) -> list[dict[str, Any]]:
    """Return notifications as :func:`summary` does, each with its last error."""
    errors = last_errors(journal, found)
    return [{**summary(record), "error": errors.get(record.seq)} for record in found]


def last_errors(journal: Journal, found: Sequence[Record]) -> dict[int, str]:
    """Return the last error of each notification that has one, by its number."""
    errors: dict[int, str] = {}
    for start in range(0, len(found), _ROWS_PER_QUERY):
        seqs = [record.seq for record in found[start : start + _ROWS_PER_QUERY]]
        errors |= journal.read(partial(questions.last_errors, seqs=seqs))
    return errors


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
        "caller": record.caller,
        "api": record.api,
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
            **({"caller": attempt.caller, "api": attempt.api} if attempt.step is Step.PUSH else {}),
            **({"envelope": attempt.envelope.decode("utf-8", "replace")} if attempt.envelope is not None else {}),
            **({"trace": attempt.trace.splitlines()} if attempt.trace is not None else {}),
        }
        for attempt in history
    ]
    return {**summary(record), "notification": stored_values(record.notification), "history": attempts}


def pages(record: Record, history: Sequence[Attempt], now: datetime) -> list[Table]:
    """Return one record for people: its content, its history, and where the last attempt failed."""
    shown_at = time_shown(now)
    zone = times.zone(now) if on_terminal() else "UTC"
    content = [(name, "" if value is None else value) for name, value in stored_values(record.notification).items()]
    state = [("state", state_shown(record)), ("due at", shown_at(record.due_at) if record.due_at else "")]
    if record.erased_at is not None:
        state.append(("erased at", shown_at(record.erased_at)))
    shown = [
        Table(f"{record.kind} {record.key}", ("", ""), [*content, *state]),
        Table(f"History (times are {zone})", ("time", "what", "how it ended"), _history(record, history, now)),
    ]
    traces = [attempt.trace for attempt in history if attempt.trace]
    if traces:
        shown.append(
            Table("Where it failed last (> is your code)", ("",), [(line,) for line in traces[-1].splitlines()])
        )
    return shown


def state_shown(record: Record) -> str:
    """Return the state for people."""
    return f"{record.state.value} (test)" if record.source is Source.TEST else record.state.value


def _history(record: Record, history: Sequence[Attempt], now: datetime) -> list[tuple[object, ...]]:
    """Return the history of a notification line by line: stored, each duplicate and attempt, handled, deleted."""
    deleted = any(each.step is Step.DELETE and each.outcome.startswith("ok") for each in history)
    lines = [(attempt.started_at, 1, _what(attempt), _ending(attempt)) for attempt in history]
    if record.handled_at is not None:
        lines.append((record.handled_at, 2, "handled", ""))
    if record.done_at is not None:
        lines.append((record.done_at, 3, "deleted from the inbox; done" if deleted else "done", ""))
    lines.sort(key=itemgetter(0, 1))
    lines.insert(0, (record.received_at, 0, _CAME[record.source], origin_of(record) or ""))
    if not on_terminal():
        return [(instant(at), what, end) for at, _, what, end in lines]
    return [(f"{times.exact(at)} ({times.ago(at, now)})", what, end) for at, _, what, end in lines]


def _what(attempt: Attempt) -> str:
    if attempt.step is Step.PUSH and attempt.owner == Source.INBOX.value:
        return "found in the inbox as well"
    return f"{_STEPS[attempt.step]}{', with another content, which is kept' if attempt.envelope is not None else ''}"


def _ending(attempt: Attempt) -> str:
    """Return how a line of the history ended: the outcome, how long it took, the error, how often, from where."""
    parts = [attempt.outcome]
    if attempt.times > 1:
        last = times.exact(attempt.ended_at) if on_terminal() else instant(attempt.ended_at)
        parts.append(f"({attempt.times} times, the last at {last})")
    elif attempt.step in _LASTING:
        parts.append(f"in {times.took((attempt.ended_at - attempt.started_at).total_seconds())}")
    return " ".join([*parts, *filter(None, (attempt.error, origin_of(attempt)))])


def time_shown(now: datetime) -> Callable[[datetime], str]:
    """Return what shows a time: local and with its age on a terminal, in UTC to a program."""
    return times.with_age(now) if on_terminal() else lambda moment: instant(moment) or ""


def instant(moment: datetime | None) -> str | None:
    """Return a time as all commands print it."""
    return moment.isoformat().replace("+00:00", "Z") if moment else None
