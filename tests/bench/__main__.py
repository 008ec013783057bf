"""``python -m tests.bench receive|end-to-end|claim|growth|start [--json]``."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated, Any

import typer
from rich.console import Console

from tests.bench import history, life, load, outcome, picture, processes, targets, whole_way
from tests.bench import receive as receiving
from tests.support.postgresql import NoPostgreSQLError, programs

program = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
console = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Seconds = Annotated[float, typer.Option(min=1, help="Whole seconds of load in each run.")]
Rounds = Annotated[int, typer.Option(min=1, help="Runs of each; the median counts.")]


@program.command()
def receive(
    rounds: Rounds = 3,
    seconds: Seconds = 5,
    draw: Annotated[Path | None, typer.Option(help="Draw the ratios into this SVG file.")] = None,
    as_json: Json = False,  # noqa: FBT002 - an option of the command line
) -> None:
    """Measure bursts, beside plain spyne and waitress and beside waitress doing nothing."""
    _say_where()
    left_out = _left_out()
    servers = [server for server in receiving.SERVERS if server not in left_out]
    rows = receiving.summary(receiving.campaign(servers, rounds, seconds, console.log))
    if draw is not None:
        draw.write_text(picture.svg(rows), encoding="utf-8")
    _end(rows, left_out, as_json=as_json)


@program.command("end-to-end")
def end_to_end(rounds: Rounds = 3, seconds: Seconds = 5, as_json: Json = False) -> None:  # noqa: FBT002 - likewise
    """Measure the whole way: pushed, handled, deleted at a simulated inbox in another process."""
    _say_where()
    _end(whole_way.summary(whole_way.campaign(rounds, seconds, console.log)), as_json=as_json)


@program.command()
def claim(
    rows: Annotated[int, typer.Option(min=1, help="Rows done in the full journal.")] = 1_000_000,
    turns: Annotated[int, typer.Option(min=1, help="Runs of each step of the journal; the median counts.")] = 300,
    rounds: Rounds = 3,
    seconds: Seconds = 5,
    as_json: Json = False,  # noqa: FBT002 - likewise
) -> None:
    """Measure receiving and claiming with an empty journal and with a full one."""
    _say_where()
    _end(history.campaign(rows, turns, rounds, seconds, console.log), as_json=as_json)


@program.command()
def growth(
    messages: Annotated[int, typer.Option(min=10, help="Messages that pass through, at least.")] = 100_000,
    as_json: Json = False,  # noqa: FBT002 - likewise
) -> None:
    """Measure the memory of one process as messages pass through."""
    _end(life.growth(messages, console.log), as_json=as_json)


@program.command()
def start(rounds: Rounds = 5, as_json: Json = False) -> None:  # noqa: FBT002 - likewise
    """Measure the time from the command to listening."""
    _say_where()
    _end(life.start(rounds), as_json=as_json)


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
