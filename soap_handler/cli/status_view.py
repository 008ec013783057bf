"""The overview of the journal as one screen and as JSON. What it holds is asked in ``journal/questions``."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Self

from soap_handler import figures, times
from soap_handler.cli import columns, configuration, journal_view
from soap_handler.cli.columns import Cell, Column, coloured, fitted, line, printable
from soap_handler.cli.journal_lines import short_keys
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import State, questions
from soap_handler.journal.questions.concerns import concerns
from soap_handler.sinks.outlook import outlooks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from soap_handler.journal.questions import Overview, Waiting
    from soap_handler.journal.questions.concerns import Concern
    from soap_handler.settings import Settings
    from soap_handler.sinks.outlook import Outlook

_ERRORS_SHOWN: Final = 5
_ACCOUNTS_SHOWN: Final = 5  # of reconciliations: those that failed come first
_PROCESSES_SHOWN: Final = 6
_COMMANDS: Final = {
    "dead": "See journal list --state dead; journal retry sends them round again.",
    "notification": "See journal show {}.",
}
"""Where to look, by what a concern is about."""
_STATES: Final = (
    Column("", 10),
    Column("all", 11, right=True),
    Column("due", 9, right=True),
    Column("in work", 8, right=True),
    Column("behind", 8, right=True),
    Column("later", 8, right=True),
    Column("oldest", 0),
)


def look(config: Path | None) -> tuple[Overview, Settings]:
    """Ask the journal of a configuration.

    Raises:
        SettingsError: the configuration cannot be used.
        JournalUnavailableError: there is no journal, or it cannot be read.
        SchemaError: it is of a newer release.
    """
    with journal_view.open_journal(config) as journal:
        return questions.overview(journal), configuration.load(config)


class Looks:
    """One look after the other at an open journal. A context manager."""

    def __init__(self, config: Path | None) -> None:
        """Open the journal of a configuration; errors are those of :func:`look`."""
        self._settings = configuration.load(config)
        self._journal = journal_view.open_journal(config)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    def next(self) -> str:
        """Return the screen as it is now; a journal that is out of reach is said, and the next look may find it."""
        try:
            shown = screen(questions.overview(self._journal), self._settings)
        except JournalUnavailableError as error:
            shown = f"soap-handler: {error}"
        return columns.from_the_top(shown)


def needs_a_person(seen: Overview) -> bool:
    """Whether something does not mend itself."""
    return bool(concerns(seen))


# -- the screen --------------------------------------------------------------------------------------------------------


def screen(seen: Overview, settings: Settings) -> str:
    """Return the whole screen."""
    head = coloured(f"soap-handler at {times.local(seen.at)} {times.zone(seen.at)}", "title")
    parts = [[head, *_journal(seen)], [*_pace(seen)], [*_states(seen)], [*_dead(seen)], [*_around(seen, settings)]]
    return "\n\n".join("\n".join(part) for part in [*parts, [*_conclusion(seen)]] if part)


def _journal(seen: Overview) -> Iterator[str]:
    last = (
        "nothing was ever stored" if seen.last_stored_at is None else f"stored last {_ago(seen, seen.last_stored_at)}"
    )
    yield f"journal    {figures.size(seen.size)}, {last}"


def _pace(seen: Overview) -> Iterator[str]:
    pace = seen.pace
    flows = [f"{name} {figures.rate(flow.per_minute)}" for name, flow in (
        ("pushed", pace.pushed), ("handled", pace.handled), ("deleted", pace.deleted)
    )]  # fmt: skip
    yield f"a minute   {' -> '.join(flows)}   (of the last {times.span(pace.handled.seconds)})"
    others = [
        f"{name} {flow.count:,}"
        for name, flow in (
            ("recovered", pace.recovered), ("attempts failed", pace.failed), ("deletes failed", pace.delete_failed)
        )
        if flow.count
    ]  # fmt: skip
    if others:
        yield f"           {', '.join(others)}"


def _states(seen: Overview) -> Iterator[str]:
    yield columns.heading(_STATES)
    for state, waiting in ((State.RECEIVED, seen.handling), (State.HANDLED, seen.deleting)):
        yield _waiting_line(seen, state, waiting)
    for state in (State.DONE, State.DEAD):
        count = seen.states[state]
        meaning = "" if state is State.DEAD and not count else state.value
        yield line(_STATES, (Cell(state.value, meaning), f"{count:,}", "", "", "", "", ""))


def _waiting_line(seen: Overview, state: State, waiting: Waiting) -> str:
    numbers = (waiting.count, waiting.due, waiting.in_work, waiting.behind, waiting.later)
    oldest = "" if waiting.oldest_at is None else _ago(seen, waiting.oldest_at)
    return line(_STATES, (Cell(state.value, state.value), *(f"{each:,}" for each in numbers), oldest))


def _dead(seen: Overview) -> Iterator[str]:
    if not seen.deaths:
        return
    yield coloured("dead, by last error", "title")
    short = short_keys([each.key for each in seen.deaths])
    for each in seen.deaths[:_ERRORS_SHOWN]:
        when = "" if each.last_at is None else _ago(seen, each.last_at)
        tail = f"  {when}, such as {fitted(short[each.key], 8)}"
        room = columns.width() - 9 - len(tail)
        yield f"{each.count:>7,}  {fitted(printable(each.error or '(none)'), room)}{tail}"
    more = seen.deaths[_ERRORS_SHOWN:]
    if more:
        yield f"{sum(each.count for each in more):>7,}  of {len(more):,} other errors"


def _around(seen: Overview, settings: Settings) -> Iterator[str]:
    for outlook in outlooks(settings, seen.deliveries):
        yield _fit(f"to         {outlook.name}: {_destination(seen, outlook)}")
    for inbox in seen.inboxes:
        since = "" if inbox.since is None else f" since {times.local(inbox.since)} ({_ago(seen, inbox.since)})"
        times_refused = f"{inbox.refusals} times; next try {_ago(seen, inbox.retry_at)}"
        yield coloured(_fit(f"inbox      {inbox.account}: login refused{since}, {times_refused}"), "dead")
    runs = sorted(seen.reconciliations, key=lambda run: (run.error is None, run.account))
    for run in runs[:_ACCOUNTS_SHOWN]:
        tally = run.tally
        unread = f" + {tally.unreadable:,} unreadable" if tally.unreadable else ""
        sums = f"{tally.inbox:,} in the inbox = {tally.known:,} known + {tally.recovered:,} recovered{unread}"
        ended = run.ended_at or run.started_at
        yield _fit(f"reconciled {run.account} {_ago(seen, ended)}: {run.error or sums}")
    if len(runs) > _ACCOUNTS_SHOWN:
        yield f"           and {len(runs) - _ACCOUNTS_SHOWN:,} other accounts"
    yield from _processes(seen)


def _destination(seen: Overview, outlook: Outlook) -> str:
    latest = outlook.latest
    if latest is None:
        return outlook.state
    outcome = f"{latest.outcome}{f': {latest.error}' if latest.error else ''}"
    if latest.is_paused:
        return f"paused {_ago(seen, latest.at)}, its circuit breaker was open: {latest.error}"
    return f"{outcome} {_ago(seen, latest.at)}"


def _processes(seen: Overview) -> Iterator[str]:
    latest = sorted(seen.processes, key=lambda each: (-each.in_work, -_seconds(each.last_at)))
    for each in latest[:_PROCESSES_SHOWN]:
        at = "no attempt ended yet" if each.last_at is None else f"last attempt {_ago(seen, each.last_at)}"
        yield _fit(f"process    {each.host} {each.pid}: {at}, {each.in_work:,} in work")
    if len(latest) > _PROCESSES_SHOWN:
        yield f"           and {len(latest) - _PROCESSES_SHOWN:,} other processes"


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _conclusion(seen: Overview) -> Iterator[str]:
    found = concerns(seen)
    if not found:
        yield coloured("Nothing needs you.", "done")
    for each in found:
        for shown in _wrapped(f"Needs you: {printable(_advice(each))}"):
            yield coloured(shown, "dead")


def _advice(concern: Concern) -> str:
    """Return what is the matter, and the command that tells more."""
    return f"{concern.text} {_COMMANDS.get(concern.about, '').format(concern.of)}".rstrip()


def _wrapped(text: str) -> list[str]:
    """Return a sentence in lines of the terminal; whole in a pipe."""
    return textwrap.wrap(text, columns.width(), subsequent_indent=" " * 11) if columns.on_terminal() else [text]


def _fit(text: str) -> str:
    return fitted(printable(text), columns.width())


def _ago(seen: Overview, moment: datetime) -> str:
    return times.ago(moment, seen.at)


# -- JSON --------------------------------------------------------------------------------------------------------------


def as_json(seen: Overview, settings: Settings) -> dict[str, Any]:
    """Return everything as plain values."""
    return {
        "at": journal_view.instant(seen.at),
        "needs_a_person": [_advice(each) for each in concerns(seen)],
        "states": {state.value: seen.states[state] for state in State},
        "waiting": {each.step.value: _waiting_json(each) for each in (seen.handling, seen.deleting)},
        "pace": {
            name: {**flow, "per_minute": round(getattr(seen.pace, name).per_minute, 1)}
            for name, flow in asdict(seen.pace).items()
        },
        "dead": [_plain(asdict(each)) for each in seen.deaths],
        "destinations": [
            {"name": each.name, "state": each.state, "latest": _plain(asdict(each.latest)) if each.latest else None}
            for each in outlooks(settings, seen.deliveries)
        ],
        "inboxes_refused": [_plain(asdict(each)) for each in seen.inboxes],
        "reconciliations": [
            {**_plain(asdict(run)), "tally": {**asdict(run.tally), "known": run.tally.known}}
            for run in seen.reconciliations
        ],
        "processes": [_plain(asdict(each)) for each in seen.processes],
        "last_stored_at": journal_view.instant(seen.last_stored_at),
        "size": seen.size,
    }


def _waiting_json(waiting: Waiting) -> dict[str, Any]:
    values = {name: value for name, value in asdict(waiting).items() if name not in {"step", "due_since"}}
    return _plain({**values, "later": waiting.later})


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return values with times as all commands print them."""
    return {
        name: journal_view.instant(value) if hasattr(value, "isoformat") else value for name, value in values.items()
    }
