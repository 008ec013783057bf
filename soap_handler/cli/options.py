"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration file; without it soap-handler.toml here, then SOAP_HANDLER_CONFIG.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on the standard output.")]
