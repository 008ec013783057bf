"""``status``: one screen that says how the service does, and whether something needs a person."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from soap_handler.cli.options import Config, Json  # noqa: TC001 - typer reads them

if TYPE_CHECKING:
    from pathlib import Path

WATCH_SECONDS: Final = 2.0
"""Between two looks of ``--watch``, at least."""
_PAUSE_LIMIT_SECONDS: Final = 10.0
_SHARE: Final = 20
"""A pause is so many times as long as the look before it, so that a watcher takes little where a look takes long."""


def status(
    *,
    config: Config = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Look again every two seconds, until Ctrl-C; where a look takes long, ten."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Say how many notifications wait at each step, since when, at what pace they move, and what is dead and why.

    It reads the journal alone, so the service need not run. Ends with 1 if something needs a person, and says what.
    """
    from soap_handler.cli import status_view  # noqa: PLC0415 - it loads SQLAlchemy

    if watch and as_json:
        raise typer.BadParameter("--watch and --json do not go together")
    if watch:
        _watch(config)
    seen, settings = status_view.look(config)
    typer.echo(
        json.dumps(status_view.as_json(seen, settings), indent=2) if as_json else status_view.screen(seen, settings)
    )
    raise typer.Exit(1 if status_view.needs_a_person(seen) else 0)


def _watch(config: Path | None) -> None:
    from soap_handler.cli import status_view  # noqa: PLC0415 - it loads SQLAlchemy

    with status_view.Looks(config) as looks:
        while True:
            begun = time.monotonic()
            typer.echo(looks.next())
            time.sleep(pause(time.monotonic() - begun))


def pause(took: float) -> float:
    """Return how many seconds to wait after a look that took so long."""
    return min(max(WATCH_SECONDS, _SHARE * took), _PAUSE_LIMIT_SECONDS)
