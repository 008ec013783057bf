"""``init``: writes a configuration file to fill in. ``settings.template`` makes its text."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated, Final

import typer

from soap_handler.cli.configuration import DEFAULT_FILE

SINK_TYPES: Final = ("webhook", "soap", "command", "amqp", "sql", "files", "stdout")
"""Types of sinks; the settings have the same ones. Written here too, as ``--help`` need not load those."""


def init(
    *,
    path: Annotated[Path, typer.Option(help="The file to write.")] = DEFAULT_FILE,
    sink: Annotated[
        str | None,
        typer.Option(help="Write a route to a sink of this type too, otherwise none: " + ", ".join(SINK_TYPES) + "."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a commented configuration file, readable by you alone, to fill in."""
    from soap_handler.settings import template  # noqa: PLC0415 - pydantic takes its time; --help need not wait

    if sink is not None and sink not in SINK_TYPES:
        raise typer.BadParameter(f"there is no sink {sink!r}; expected one of {', '.join(SINK_TYPES)}")
    text = template(sink)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        descriptor = os.open(path, flags, 0o600)  # it will hold passwords
    except FileExistsError:
        typer.echo(f"soap-handler: {path} exists already; expected another --path, or --force", err=True)
        raise typer.Exit(1) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        path.chmod(0o600)  # one that was there keeps its mode otherwise
        file.write(text)
    typer.echo(f"{path} is written. Fill in the lines marked so, then run: soap-handler check")
