"""``-V`` and ``--version``: which release this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import typer


def show_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    """Say the release and end, if it was asked for."""
    if wanted:
        try:
            typer.echo(f"soap-handler {version('soap-handler')}")
        except PackageNotFoundError:
            typer.echo("soap-handler, run from a source tree")
        raise typer.Exit
