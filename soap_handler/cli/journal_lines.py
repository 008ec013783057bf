"""Notifications one a line, the list that is followed, and what happens as it happens."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import typer

from soap_handler import times
from soap_handler.cli import columns, journal_view
from soap_handler.cli.columns import Cell, Column
from soap_handler.journal import Selection, Source, State, Step, questions
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from soap_handler.journal import Journal, Record
    from soap_handler.journal.questions import Change

POLL_SECONDS: Final = 1.0
"""Between two looks at what is new."""
_SHORT_KEY: Final = 8  # characters of a message's id: enough to tell it from those of a million others, nearly always
_KINDS: Final = {
    Kind.MESSAGE_RECEIVED: "msg", Kind.MESSAGE_EVENT: "evt", Kind.MESSAGE_ERROR: "err",
    Kind.SUBSCRIPTION_EVENT: "sub",
}  # fmt: skip
_LIST: Final = (
    Column("stored", 11),
    Column("ago", 6, right=True),
    Column("", 3),
    Column("state", 8),
    Column("try", 3, right=True),
    Column("from", 13),
    Column("key", _SHORT_KEY),
    Column("last error", 0),
)
_TAIL: Final = (Column("time", 11), Column("key", _SHORT_KEY), Column("from", 13), Column("what", 0))
_STEPS: Final = {
    Step.HANDLE: "handler", Step.DELETE: "delete", Step.PUSH: "pushed again", Step.REPLAY: "replay",
    Step.GIVE_UP: "give-up",
}  # fmt: skip
ROWS_PER_QUERY: Final = 1_000
"""Rows that one query reads."""
LATE_ROWS: Final = 500
"""Numbers below the newest: on PostgreSQL a lower number may be committed later."""


def print_list(journal: Journal, wanted: Selection, limit: int) -> None:
    """Print the latest of a selection, and how many there are of it in all."""
    seqs, total = journal.read(partial(questions.found, selection=wanted, most=limit))
    for start in range(0, len(seqs), ROWS_PER_QUERY):
        part = tuple(seqs[start : start + ROWS_PER_QUERY])
        _print(journal, journal.records(Selection(seqs=part)), titles=not start)
    terminal = columns.on_terminal()
    where = f"; times are {times.zone(journal.now())}" if terminal else ""
    if terminal or total > len(seqs):
        typer.echo(columns.coloured(f"{len(seqs):,} of {total:,}{where}", "quiet"), err=not terminal)


def follow(journal: Journal, wanted: Selection, limit: int) -> None:
    """Print the latest of a selection, the oldest first, and go on with what is stored from now on, until Ctrl-C."""
    following = Following(journal, wanted, limit)
    _print(journal, following.next())
    while True:
        time.sleep(POLL_SECONDS)
        _print(journal, following.next(), titles=False)


class Following:
    """One look after the other at a selection: what each finds that the ones before have not."""

    def __init__(self, journal: Journal, wanted: Selection, limit: int) -> None:
        """Begin with the latest ``limit``."""
        self._journal = journal
        self._wanted = wanted
        newest = journal.records(Selection(), 1)
        self._last = newest[0].seq if newest else 0
        self._first = journal.records(wanted, limit)
        earlier = journal.records(self._recent())
        self.known = {each.seq for each in (*earlier, *self._first)}
        """The numbers that a further look may find again."""

    def next(self) -> list[Record]:
        """Return what is new, the oldest first."""
        first, self._first = self._first, []
        found = self._all_recent()
        new = [*(each for each in found if each.seq not in self.known), *first]
        self._last = max([self._last, *(each.seq for each in found)])
        late = self._last - LATE_ROWS
        self.known = {seq for seq in (*self.known, *(each.seq for each in found)) if seq > late}
        return new[::-1]

    def _recent(self) -> Selection:
        return replace(self._wanted, after=self._last - LATE_ROWS)

    def _all_recent(self) -> list[Record]:
        """Return what may be new. Rows that come between two pages shift them, so that some are found twice."""
        found: dict[int, Record] = {}
        read = 0
        while page := self._journal.records(self._recent(), ROWS_PER_QUERY, read):
            found |= {each.seq: each for each in page}
            read += len(page)
        return sorted(found.values(), key=lambda each: -each.seq)


def _print(journal: Journal, found: Sequence[Record], *, titles: bool = True) -> None:
    errors = journal_view.last_errors(journal, found)
    if not columns.on_terminal():
        for record in found:
            typer.echo(columns.tabbed(_values(record, errors)))
        return
    now = journal.now()
    short = short_keys([record.key for record in found])
    wide = max(map(len, short.values()), default=_SHORT_KEY)
    shown = [column._replace(width=wide) if column.title == "key" else column for column in _LIST]
    if titles and found:
        typer.echo(columns.heading(shown))
    for record in found:
        typer.echo(columns.line(shown, _cells(record, errors, short, now)))


def _values(record: Record, errors: Mapping[int, str]) -> tuple[object, ...]:
    at = journal_view.instant(record.received_at)
    state = journal_view.state_shown(record)
    attempts, error = record.attempts, errors.get(record.seq)
    return (at, record.kind, state, attempts, record.originator, record.key, error)


def _cells(
    record: Record, errors: Mapping[int, str], short: Mapping[str, str], now: datetime
) -> tuple[Cell | str, ...]:
    return (
        times.local_short(record.received_at, now),
        times.span((now - record.received_at).total_seconds()),
        _KINDS[record.kind],
        Cell("test" if record.source is Source.TEST else record.state.value, record.state.value),
        f"{record.attempts}",
        record.originator or "",
        short[record.key],
        "" if record.state is State.DONE else errors.get(record.seq, ""),
    )


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Return for each key the beginning of its message's id, by which ``journal show`` finds it."""
    short = {key: _last_parts(key)[:_SHORT_KEY] for key in keys}
    taken = Counter(short.values())
    return {key: each if taken[each] == 1 else _last_parts(key) for key, each in short.items()}


def _last_parts(key: str) -> str:
    """Return a key without its account and its kind."""
    return key.split("/", 2)[-1]


def tail(journal: Journal, lines: int) -> None:
    """Print the last changes, and go on with those to come, until Ctrl-C."""
    shown, told = journal.read(lambda connection: questions.latest(connection, lines))
    if columns.on_terminal():
        typer.echo(columns.heading(_TAIL))
    while True:
        for change in shown:
            typer.echo(_change(change, journal.now()))
        time.sleep(POLL_SECONDS)
        shown = journal.read(lambda connection: questions.news(connection, told))


def _change(change: Change, now: datetime) -> str:
    what = f"stored ({change.outcome})" if change.step is None else f"{_STEPS[change.step]} {change.outcome}"
    if not columns.on_terminal():
        at = journal_view.instant(change.at)
        return columns.tabbed((at, change.key, change.originator, what, change.error))
    told = f"{what}: {change.error}" if change.error else what
    meaning = "dead" if change.error else "received" if change.step is None else "done"
    short = _last_parts(change.key)[:_SHORT_KEY]
    return columns.line(_TAIL, (times.local_short(change.at, now), short, change.originator or "", Cell(told, meaning)))
