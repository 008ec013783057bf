"""``simulate``: runs the simulated EMS alone, for any Account Event Handler, by ``simulate_run``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from soap_handler.cli.option_groups import grouped
from soap_handler.cli.options import Api, CaBundle, Config, Json, Seed, finite
from soap_handler.cli.simulate_options import Given, Shares  # noqa: TC001 - typer reads them
from soap_handler.contract import Version

Rate = Annotated[float, typer.Option(min=0.001, max=1_000_000, callback=finite, help="Notifications in a second.")]


@grouped()
def simulate(
    *,
    config: Config = None,
    given: Given,
    api: Api = Version.SOAP,
    ca_bundle: CaBundle = None,
    messages: Annotated[
        int | None, typer.Option(min=0, max=100_000_000, help="Notifications to push; without it, until Ctrl-C.")
    ] = None,
    rate: Rate = 10.0,
    seed: Seed = 1,
    shares: Shares,
    as_json: Json = False,
) -> None:
    """Run an EMS on 127.0.0.1: an inbox, and pushes to a handler, disturbed to order.

    What is not given comes from the configuration, if there is one. Its service is pushed to only if its inbox is on
    this machine too: a real service is pushed to only by --handler-url.

    It is done when every notification is acknowledged and the inbox is empty, and ends then or at Ctrl-C. Ends with
    0 only if it was done.
    """
    from soap_handler.cli import display, simulate_run  # noqa: PLC0415 - they load spyne, zeep and rich
    from soap_handler.cli.simulate_target import simulated  # noqa: PLC0415 - as above
    from soap_handler.ems import Disturbances  # noqa: PLC0415 - it loads spyne and zeep

    found = simulated(config, api, given)
    if found.note:
        typer.echo(found.note, err=True)
    counts = simulate_run.run(
        found.account,
        Disturbances(**asdict(shares)),
        simulate_run.SimulationPlan(found.handler_url, found.inbox_port, messages, rate, seed, api, ca_bundle),
    )
    if as_json:
        typer.echo(json.dumps(simulate_run.summary(counts)))
    else:
        display.print_table(simulate_run.table(counts))
    raise typer.Exit(1 if counts.waiting or counts.inbox or counts.given_up else 0)
