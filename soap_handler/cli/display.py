"""Tables, progress bars and pages: drawn by rich on a terminal, plain lines in a pipe. Commands have the content."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text

from soap_handler.cli import columns
from soap_handler.diagnosis.finding import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Show = Callable[[Mapping[str, tuple[int, int | None]]], None]
    """Updates the bars: for each name, how much is done and the total, if known."""


class Table(NamedTuple):
    """A table to print."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


_COLOURS: Final = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.WRONG: "bold red", Verdict.SKIPPED: "dim"}


def verdict(found: Verdict) -> Text:
    """Return a verdict in its colour, for a cell or a line. rich leaves colours out where none are wanted."""
    return Text(found.value, style=_COLOURS[found])


def print_finding(found: Finding) -> None:
    """Print a finding on one line, however long."""
    word = verdict(found.verdict)
    gap = " " * (9 - len(word))
    line = Text.assemble(word, gap, _printable(f"{found.what}: {found.text}"))
    Console(highlight=False, soft_wrap=True).print(line)


def print_table(*tables: Table) -> None:
    """Print tables to the standard output. No text is read as markup, and control characters are shown as escapes.

    Into a pipe each row is one line, with tabs between the values, below its title; headings are left out.
    """
    if columns.on_terminal():
        for table in tables:
            _draw(table)
    else:
        typer.echo("\n\n".join(_plain(table) for table in tables))


def _plain(table: Table) -> str:
    return "\n".join([*filter(None, [table.title]), *map(columns.tabbed, table.rows)])


def _draw(table: Table) -> None:
    shown = RichTable(title=table.title or None, title_justify="left")
    for name in table.columns:
        shown.add_column(name, overflow="fold")
    for row in table.rows:
        shown.add_row(*(_cell(value) for value in row))
    Console().print(shown)


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    return Text(_printable(str(value)), justify="right" if isinstance(value, int) else "left")


def _printable(text: str) -> str:
    return "\n".join(map(columns.printable, text.split("\n")))


def print_page(text: str) -> None:
    """Print a page of Markdown: drawn on a terminal, as it is to a file or a pipe."""
    if columns.on_terminal():
        Console().print(Markdown(text))
    else:
        sys.stdout.write(text)


@contextmanager
def progress() -> Iterator[Show]:
    """Show live bars on the standard error output while the context is entered; none where that is no terminal."""
    console = Console(stderr=True)
    shown = (TextColumn("{task.description:>24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *shown, console=console, redirect_stdout=False, redirect_stderr=False, disable=not console.is_terminal
    ) as bars:
        tasks = {}

        def show(state: Mapping[str, tuple[int, int | None]]) -> None:
            for name, (done, total) in state.items():
                if name not in tasks:
                    tasks[name] = bars.add_task(name, total=total)
                bars.update(tasks[name], completed=done, total=total)

        yield show
