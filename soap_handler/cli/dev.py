"""``dev``: service, console and simulated EMS in the foreground, for writing handlers. ``dev_run`` runs them."""

from __future__ import annotations

from typing import Annotated

import typer

from soap_handler.cli.options import Config, finite
from soap_handler.notifications import Kind  # noqa: TC001 - typer reads it


def dev(
    target: Annotated[
        str | None,
        typer.Argument(help="Your handlers as module:attribute; otherwise handler.target, else they are printed."),
    ] = None,
    *,
    config: Config = None,
    ignore: Annotated[
        list[Kind] | None,
        typer.Option(help="A kind without a handler on purpose; otherwise those of handler.ignore."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of the service; otherwise server.port, or a free one."),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, max=1000, callback=finite, help="Notifications that EMS pushes in a second.")
    ] = 0.0,
    throwaway: Annotated[
        bool, typer.Option("--throwaway", help="Keep the journal in a temporary folder instead of in dev.db.")
    ] = False,
) -> None:
    """Run the service, its console and a simulated EMS here; start anew when your handlers or the settings change.

    The inbox is the simulated one, and the journal is dev.db beside the configuration: neither EMS nor the journal of
    another service is touched. Sinks are those of the configuration. Without a configuration there is an account of
    its own. It says how to send a message, and ends at Ctrl-C.
    """
    from soap_handler.cli import dev_plan, dev_run  # noqa: PLC0415 - they load spyne, zeep and pydantic

    wanted = dev_plan.Wanted(config, target, tuple(ignore or ()), port, rate)
    with dev_plan.journal_place(config, throwaway=throwaway) as journal:
        dev_run.run(wanted, journal)
