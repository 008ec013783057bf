"""``erase``: removes every trace of a phone number from the journal. ``journal.erasure`` defines a trace."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from soap_handler.cli.options import Config, Json  # noqa: TC001 - typer reads them


def erase(
    number: Annotated[str, typer.Argument(help="The number in its international form, such as +447700900123.")],
    *,
    account: Annotated[
        str | None, typer.Option(metavar="REF", help="Only in this account, by any of its names; otherwise in all.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be erased, and write nothing.")] = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Remove every trace of a phone number from the journal: messages, requests, and the errors of attempts.

    What waits for a handler is not handled any more; messages are still deleted from the EMS inbox.
    Numbers are compared by their digits, without a leading + or 00; a national form (07700…) is another number, to be
    erased by itself. Ends with 1 if traces may be left in the journal's files.
    """
    from soap_handler.cli import display, erase_run  # noqa: PLC0415 - they load SQLAlchemy, pydantic and rich

    outcome = erase_run.erase(config, number, account, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(erase_run.summary(outcome)))
    else:
        display.print_table(erase_run.table(outcome))
        typer.echo(erase_run.conclusion(outcome))
    raise typer.Exit(0 if outcome.is_clean else 1)
