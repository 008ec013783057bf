"""``init``: writes a configuration file to fill in. ``settings.template`` makes its text."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated, Final, NoReturn

import typer

from soap_handler import whole_file
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
    if path.exists() and not force:
        _refuse(f"{path} exists already; expected another --path, or --force")
    if path.exists() and not path.is_file():
        _refuse(f"{path} is no file; expected another --path")
    try:
        _write(path.resolve(), template(sink), overwrite=force)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None  # not the name of the unfinished file
    typer.echo(f"{path} is written. Fill in the lines marked so, then run: soap-handler check")


def _refuse(problem: str) -> NoReturn:
    typer.echo(f"soap-handler: {problem}", err=True)
    raise typer.Exit(1)


def _write(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a file for its owner alone, since it will hold passwords: whole, or not at all."""
    with whole_file.temporary_beside(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
        whole_file.place(unfinished, path, overwrite=overwrite)
