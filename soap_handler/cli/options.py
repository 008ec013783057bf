"""Options that several commands share."""

from __future__ import annotations

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
