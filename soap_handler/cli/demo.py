"""``demo``: shows the main job on this machine. How it runs is in ``demonstration``, what it proves in ``books``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from soap_handler import logs
from soap_handler.cli.options import Json  # noqa: TC001 - typer reads it


def demo(
    *,
    messages: Annotated[int, typer.Option(min=1, help="Notifications to push.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed gives the same notifications and disturbances.")] = 1,
    as_json: Json = False,
) -> None:
    """Run the service and a simulated EMS here, disturb them, and count what became of every notification.

    EMS pushes duplicates and loses answers, its inbox is down at first, and the handler stumbles now and then. Ends
    with 0 only if nothing was lost, the inbox is empty, and the three sides that count agree.
    """
    from soap_handler.cli import demonstration, display, report  # noqa: PLC0415 - they load the service, EMS and rich

    logs.configure("error", "text")  # what is disturbed on purpose needs no warning
    with display.progress() as show:
        result = demonstration.demonstrate(messages, seed, show)
    wrong = report.problems(result)
    if as_json:
        typer.echo(json.dumps({**report.summary(result), "problems": wrong}))
    else:
        display.print_table(report.table(result))
    for problem in wrong:
        typer.echo(f"soap-handler: {problem}", err=True)
    raise typer.Exit(1 if wrong else 0)
