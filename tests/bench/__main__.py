"""``python -m tests.bench receive|end-to-end|claim|growth|start [--json]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from . import load, others, picture
from . import receive as receiving

program = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
console = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Seconds = Annotated[float, typer.Option(help="Whole seconds of load in each run.")]
Rounds = Annotated[int, typer.Option(help="Runs of each; the median counts.")]


@program.command()
def receive(
    rounds: Rounds = 3,
    seconds: Seconds = 5,
    draw: Annotated[Path | None, typer.Option(help="Draw the ratios into this SVG file.")] = None,
    as_json: Json = False,  # noqa: FBT002 - an option of the command line
) -> None:
    """Measure bursts, beside plain spyne and waitress and beside waitress doing nothing."""
    rows = receiving.summary(receiving.campaign(rounds, seconds, console.log))
    if draw is not None:
        draw.write_text(picture.svg(rows), encoding="utf-8")
    _show(rows, as_json=as_json)
    if any(row["refused"] or row["missing"] for row in rows):
        raise typer.Exit(1)


@program.command("end-to-end")
def end_to_end(rounds: Rounds = 3, seconds: Seconds = 5, as_json: Json = False) -> None:  # noqa: FBT002 - likewise
    """Measure the whole way: pushed, handled, deleted at a simulated inbox in another process."""
    _show(others.end_to_end(rounds, seconds), as_json=as_json)


@program.command()
def claim(as_json: Json = False) -> None:  # noqa: FBT002 - likewise
    """Measure a claim with an empty journal and with a million notifications done."""
    _show(others.claim(), as_json=as_json)


@program.command()
def growth(seconds: Seconds = 30, as_json: Json = False) -> None:  # noqa: FBT002 - likewise
    """Measure the memory of one process as messages pass through."""
    _show(others.growth(seconds), as_json=as_json)


@program.command()
def start(rounds: Rounds = 5, as_json: Json = False) -> None:  # noqa: FBT002 - likewise
    """Measure the time from the command to listening."""
    _show(others.start(rounds), as_json=as_json)


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"rows": rows}) + "\n")
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(table)


if __name__ == "__main__":
    try:
        program()
    except load.NoWrkError as error:
        console.print(str(error))
        sys.exit(2)
