"""Options that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from soap_handler.contract import Version

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration file; without it soap-handler.toml here, then SOAP_HANDLER_CONFIG.",
    ),
]
Api = Annotated[Version, typer.Option("--api", help="The version of the API in which to push.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on the standard output.")]

CaBundle = Annotated[
    Path | None,
    typer.Option(
        "--ca-bundle",
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="Roots to trust beside the well-known ones; otherwise none.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def finite(value: float) -> float:
    """Return a number of the command line, as its callback.

    Raises:
        typer.BadParameter: it is "nan", which is neither below nor above any bound.
    """
    if math.isnan(value):
        raise typer.BadParameter("it is no number; expected one")
    return value


Timeout = Annotated[float, typer.Option(min=0.1, max=3600, callback=finite, help="Seconds to wait for each answer.")]
Seed = Annotated[
    int,
    typer.Option(min=-(2**63), max=2**63 - 1, help="The same seed gives the same notifications and disturbances."),
]
