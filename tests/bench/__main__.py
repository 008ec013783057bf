"""``python -m tests.bench receive|end-to-end|claim|sinks|burst|growth|start|console|beside-console [--json]``."""

from __future__ import annotations

import signal
import sys
import tempfile
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from tests.bench import beside_console as beside
from tests.bench import candidates, compare, history, life, load, outcome, picture, processes, targets, whole_way
from tests.bench import console as pages
from tests.bench import receive as receiving
from tests.bench import sinks as delivering
from tests.bench.journals import Journals
from tests.support.postgresql import NoPostgreSQLError, programs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

program = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
console = Console(stderr=True)


class Service(StrEnum):
    """The services by a short name."""

    ONE = "one"
    TWO = "two"
    POSTGRESQL = "postgresql"


Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Seconds = Annotated[float, typer.Option(min=1, help="Whole seconds of load in each run.")]
Rounds = Annotated[int, typer.Option(min=1, help="Runs of each; the median counts.")]
Rows = Annotated[int, typer.Option(min=0, help="Rows done in the full journal, beside the empty one; 0 leaves it out.")]
Connections = Annotated[list[int], typer.Option(min=1, help="How many at once; repeat it for several.")]
Apis = Annotated[list[load.Api], typer.Option(help="What is pushed; several are compared. refused: a wrong password.")]
Services = Annotated[list[Service], typer.Option(help="Which services; repeat it.")]
Against = Annotated[Path | None, typer.Option(file_okay=False, exists=True, help="Another checkout, to compare with.")]
Set = Annotated[list[str], typer.Option("--set", help="section.name=value: a setting of the measured service.")]
Variant = Annotated[list[str], typer.Option(help="name:section.name=value,… to compare with; repeat it for several.")]


@program.command()
def receive(
    *,
    rounds: Rounds = 3,
    seconds: Seconds = 5,
    rows: Rows = 1_000_000,
    connections: Connections = [1, 8, 32],  # noqa: B006 - typer's way to say a default
    service: Services = list(Service),  # noqa: B006
    api: Apis = [load.Api.SOAP],  # noqa: B006
    against: Against = None,
    settings: Set = [],  # noqa: B006
    variant: Variant = [],  # noqa: B006
    draw: Annotated[Path | None, typer.Option(help="Draw the ratios into this SVG file.")] = None,
    as_json: Json = False,
) -> None:
    """Measure bursts, beside plain spyne and waitress and beside waitress doing nothing; forms beside Flask.

    With --against or --variant, services are compared with each other instead, pair by pair.
    """
    _say_where()
    left_out = _left_out()
    chosen = _chosen(against, settings, variant)
    ours = [
        name for short, name in zip(Service, targets.OURS, strict=True) if short in service and name not in left_out
    ]
    servers = ours if len(chosen) > 1 else [*targets.BESIDE, *ours]
    cells = receiving.cells(servers, connections, [0, rows] if rows else [0], seconds, api)
    with Journals(console.log) as journals:
        if len(chosen) > 1:
            found = compare.campaign(chosen, _runs(cells, journals), rounds, console.log)
        else:
            found = receiving.summary(receiving.campaign(cells, rounds, journals, chosen[0], console.log))
    if draw is not None and len(chosen) == 1:
        draw.write_text(picture.svg([row for row in found if row["api"] == load.Api.SOAP]), encoding="utf-8")
    _end(found, left_out, as_json=as_json)


@program.command("end-to-end")
def end_to_end(
    *,
    rounds: Rounds = 3,
    seconds: Seconds = 5,
    rows: Rows = 1_000_000,
    against: Against = None,
    settings: Set = [],  # noqa: B006
    variant: Variant = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Measure the whole way: pushed, handled, deleted at a simulated inbox in another process.

    With --against or --variant, services are compared with each other instead, pair by pair.
    """
    _say_where()
    chosen = _chosen(against, settings, variant)
    cells = whole_way.cells(list(targets.WHOLE_WAY), [0, rows] if rows else [0], seconds)
    with Journals(console.log) as journals:
        if len(chosen) > 1:
            found = compare.campaign(chosen, _runs(cells, journals), rounds, console.log)
        else:
            found = whole_way.summary(whole_way.campaign(cells, rounds, journals, chosen[0], console.log))
    _end(found, as_json=as_json)


@program.command()
def claim(
    *,
    rows: Annotated[int, typer.Option(min=1, help="Rows done in the full journal.")] = 1_000_000,
    turns: Annotated[int, typer.Option(min=1, help="Runs of each step of the journal; the median counts.")] = 300,
    rounds: Rounds = 3,
    seconds: Seconds = 5,
    as_json: Json = False,
) -> None:
    """Measure receiving and claiming with an empty journal and with a full one."""
    _say_where()
    _end(history.campaign(rows, turns, rounds, seconds, console.log), as_json=as_json)


@program.command()
def sinks(
    *,
    rounds: Rounds = 3,
    messages: Annotated[int, typer.Option(min=10, help="Notifications of each run.")] = 3000,
    sink: Annotated[list[str], typer.Option(help="Types of sinks; repeat it.")] = list(delivering.SINKS),  # noqa: B006
    as_json: Json = False,
) -> None:
    """Measure each sink to a real peer, beside a bare loop of the peer's own library, both with 8 threads."""
    _say_where()
    _end(delivering.campaign(sink, rounds, messages, console.log), as_json=as_json)


@program.command()
def burst(
    *,
    rounds: Rounds = 3,
    seconds: Seconds = 5,
    connections: Annotated[int, typer.Option(min=1, help="How many at once.")] = 32,
    as_json: Json = False,
) -> None:
    """Measure receiving while a web hook gets what came, beside receiving with handlers that do nothing."""
    _say_where()
    _end(delivering.burst(rounds, seconds, connections), as_json=as_json)


@program.command()
def growth(
    *,
    messages: Annotated[int, typer.Option(min=10, help="Messages that pass through, at least.")] = 100_000,
    as_json: Json = False,
) -> None:
    """Measure the memory of one process as messages pass through."""
    _end(life.growth(messages, console.log), as_json=as_json)


@program.command()
def start(*, rounds: Rounds = 5, as_json: Json = False) -> None:
    """Measure the time from the command to listening."""
    _say_where()
    _end(life.start(rounds), as_json=as_json)


@program.command("console")
def console_pages(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="How often each page is asked for.")] = 7,
    rows: Annotated[int, typer.Option(min=10_000, help="Notifications in the journal.")] = 1_000_000,
    engine: Annotated[list[str], typer.Option(help="sqlite or postgresql; repeat it.")] = ["sqlite", "postgresql"],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Measure each page of the console, with the filters that people use, on a journal of many rows.

    CPU times are those of the console and of PostgreSQL together; on a busy machine they say more than the clock.
    """
    _say_where()
    _end(pages.campaign(rows, rounds, engine, console.log), as_json=as_json)


@program.command("beside-console")
def beside_console(
    *,
    rounds: Rounds = 5,
    seconds: Seconds = 10,
    rows: Rows = 1_000_000,
    refresh: Annotated[float, typer.Option(min=0.1, help="Seconds from one look at the overview to the next.")] = 5,
    connections: Annotated[int, typer.Option(min=1, help="How many at once.")] = 32,
    service: Services = [Service.ONE, Service.POSTGRESQL],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Measure receiving beside a console whose overview refreshes itself, and without a console, in turns."""
    _say_where()
    left_out = _left_out()
    names = dict(zip(Service, targets.OURS, strict=True))
    servers = [names[each] for each in service if names[each] not in left_out]
    with Journals(console.log) as journals:
        found = beside.campaign(servers, connections, rounds, seconds, refresh, rows, journals, console.log)
    _end(found, left_out, as_json=as_json)


def _chosen(against: Path | None, settings: list[str], variants: list[str]) -> list[candidates.Candidate]:
    try:
        return candidates.chosen(against, settings, variants)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _runs(
    cells: Sequence[receiving.Cell | whole_way.Cell], journals: Journals
) -> dict[str, Callable[[candidates.Candidate], compare.Reading]]:
    """Return what runs each cell, by the cell's name."""
    return {str(cell): partial(cell.measure, journals) for cell in cells}


def _say_where() -> None:
    """Name the file system of the journals: how fast it is decides much, and in memory nothing is durable."""
    kind = processes.file_system(tempfile.gettempdir())
    console.log(f"the journals are in {tempfile.gettempdir()} ({kind}); TMPDIR chooses another folder")
    if kind in {"tmpfs", "ramfs"}:
        console.log("[bold red]that is no disk: these figures are not those of durable commits[/]")


def _left_out() -> dict[str, str]:
    """Return the servers that cannot run here, each with the reason, and say so."""
    try:
        programs()
    except NoPostgreSQLError as reason:
        console.log(f"[bold red]LEFT OUT: {targets.TWO_POSTGRESQL}[/]: {reason}")
        return {targets.TWO_POSTGRESQL: str(reason)}
    return {}


def _end(rows: list[dict[str, Any]], left_out: dict[str, str] | None = None, *, as_json: bool) -> None:
    """Show the rows. A target that is missed is shown and no more; an answer or a row that is missing is an error."""
    outcome.show(rows, left_out or {}, as_json=as_json)
    if outcome.broken(rows):
        raise typer.Exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that no process is left behind
    try:
        program()
    except load.NoWrkError as error:
        console.print(str(error))
        sys.exit(2)
