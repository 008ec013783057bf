"""Terminal output by rich: tables, progress bars and pages. The content comes from the commands."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text

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


def print_table(table: Table) -> None:
    """Print a table to the standard output. No text is read as markup, and control characters are shown as escapes."""
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
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def print_page(text: str) -> None:
    """Print a page of Markdown: drawn on a terminal, as it is to a file or a pipe."""
    if sys.stdout.isatty():
        Console().print(Markdown(text))
    else:
        sys.stdout.write(text)


@contextmanager
def progress() -> Iterator[Show]:
    """Show live bars on the standard error output while the context is entered; none where that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:>24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, redirect_stdout=False, redirect_stderr=False, disable=not console.is_terminal
    ) as bars:
        tasks = {}

        def show(state: Mapping[str, tuple[int, int | None]]) -> None:
            for name, (done, total) in state.items():
                if name not in tasks:
                    tasks[name] = bars.add_task(name, total=total)
                bars.update(tasks[name], completed=done, total=total)

        yield show
