"""``python -m tests.campaigns NAME …``: runs campaigns and prints their figures; ends with 1 when a promise broke."""

from __future__ import annotations

import json
import signal
import sys
from typing import Annotated

import typer

from soap_handler.contract import Version
from tests.campaigns import figures
from tests.campaigns.schedule import ALL, CAMPAIGNS
from tests.campaigns.several import Order, carry_out_all, orders, with_another_run
from tests.support.fast_path import FastPath, choose


def main(
    names: Annotated[list[str], typer.Argument(help=f"{ALL}, or some of {', '.join(CAMPAIGNS)}.")],
    *,
    scale: Annotated[float, typer.Option(min=0.001, help="1 is the full size; 0.05 is a glance.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same plan.")] = 1,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="How long the soak takes; 8 times the scale.")] = None,
    api: Annotated[Version, typer.Option(help="In which version of the API EMS pushes.")] = Version.SOAP,
    at_once: Annotated[int, typer.Option(min=1, help="How many run at once, where no clock judges them.")] = 1,
    again: Annotated[
        bool, typer.Option(help="What only ran out of time runs once more, alone, and that one counts.")
    ] = False,
    fast_path: Annotated[FastPath, typer.Option(help="server.fast_path of the services: auto or off.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Run a campaign against real processes and count what was pushed, acknowledged, handled, deleted and missing."""
    if unknown := set(names) - {ALL, *CAMPAIGNS}:
        raise typer.BadParameter(f"{min(unknown)!r} is none; expected {ALL} or some of {', '.join(CAMPAIGNS)}")
    choose(fast_path)
    asked = [Order(name=each, api=api, scale=scale, seed=seed, minutes=minutes, fast_path=fast_path) for each in names]
    several = [order for each in asked for order in orders(each)]
    outcomes = carry_out_all(several, at_once, lambda text: None if as_json else typer.echo(text, err=True))
    if again:
        outcomes = list(with_another_run(outcomes, several))
    if as_json:
        typer.echo(json.dumps([each.summary() for each in outcomes], indent=1))
    else:
        figures.show(outcomes)
    last = {each.campaign: each for each in outcomes}
    raise typer.Exit(1 if any(each.broken for each in last.values()) else 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that no service is left behind
    command = typer.Typer(pretty_exceptions_enable=False)
    command.command()(main)
    command()
