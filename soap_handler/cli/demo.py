"""``demo``: shows the main job on this machine. ``demo_run`` runs it, ``demo_report`` checks the counts."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from soap_handler import logs
from soap_handler.cli.options import Json, Seed  # noqa: TC001 - typer reads them


def demo(
    *,
    messages: Annotated[int, typer.Option(min=1, max=10_000_000, help="Notifications to push.")] = 200,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Run the service and a simulated EMS here, disturb them, and count what became of every notification.

    EMS pushes duplicates and loses answers, its inbox is down at first, and the handler stumbles now and then. Ends
    with 0 only if nothing was lost, the inbox is empty, and the three sides that count agree.
    """
    from soap_handler.cli import demo_report, demo_run, display  # noqa: PLC0415 - they load the service, EMS and rich

    logs.configure("error", "text")  # the disturbances are deliberate: no warnings
    with display.progress() as show:
        report = demo_run.demonstrate(messages, seed, show)
    wrong = demo_report.problems(report)
    if as_json:
        typer.echo(json.dumps({**demo_report.summary(report), "problems": wrong}))
    else:
        display.print_table(demo_report.table(report))
    for problem in wrong:
        typer.echo(f"soap-handler: {problem}", err=True)
    raise typer.Exit(1 if wrong else 0)
