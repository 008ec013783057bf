"""Groups of options of ``simulate``: what a configuration may complete, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from soap_handler.cli.configuration import INBOX_PASSWORD, PUSH_PASSWORD
from soap_handler.cli.options import finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a configuration may complete."""

    handler_url: Annotated[
        str | None,
        typer.Option(
            help="Address of the Account Event Handler; otherwise the configuration's; "
            "without both only the inbox runs."
        ),
    ] = None
    username: Annotated[
        str | None,
        typer.Option(
            help="User name to present to the handler; otherwise the configuration's, else ems.", show_default=False
        ),
    ] = None
    password: Annotated[
        str | None,
        typer.Option(envvar=PUSH_PASSWORD, help="Password to present to the handler; otherwise the configuration's."),
    ] = None
    account: Annotated[
        str | None,
        typer.Option(
            help="Account, by any of its names; otherwise the configuration's first, else EX0012345.",
            show_default=False,
        ),
    ] = None
    inbox_username: Annotated[
        str | None,
        typer.Option(help="User name that opens the inbox; otherwise the configuration's, else the handler's."),
    ] = None
    inbox_password: Annotated[
        str | None,
        typer.Option(
            envvar=INBOX_PASSWORD,
            help="Password that opens the inbox; otherwise the configuration's, else the handler's.",
        ),
    ] = None
    inbox_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port of the inbox; otherwise that of an inbox of the configuration that is local, else a free one.",
        ),
    ] = None


def _share(what: str) -> Any:  # noqa: ANN401 - typer has no type for it
    return typer.Option(min=0.0, max=1.0, callback=finite, help=what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What goes wrong, and how often."""

    duplicates: Annotated[float, _share("Share of the notifications that are pushed twice.")] = 0.0
    lost_answers: Annotated[
        float, _share("Share of the notifications whose first answer is lost, so that they are pushed again.")
    ] = 0.0
    late: Annotated[float, _share("Share of the notifications that are pushed late.")] = 0.0
    reordered: Annotated[float, _share("Share of the notifications that overtake others.")] = 0.0
    bursts: Annotated[float, _share("Share of the notifications that are held back and come in a burst.")] = 0.0
    upper_case_ids: Annotated[float, _share("Share of the notifications whose id is in upper case.")] = 0.0
    inbox_outages: Annotated[float, _share("Share of the inbox calls that fail.")] = 0.0
