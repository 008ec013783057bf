"""``reconcile``: compares the inboxes with the journal now, by ``inbox.reconciler``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from soap_handler import logs
from soap_handler.cli.columns import printable
from soap_handler.cli.options import Config, Json  # noqa: TC001 - typer reads them


def reconcile(
    *,
    account: Annotated[
        str | None,
        typer.Option(metavar="REF", help="Only this account, by any of its names; otherwise all with an inbox."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be done, and write nothing.")] = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Find what was missed: compare the EMS inbox of each account with the journal.

    What the journal does not know is put into it as received; what is done and still in the inbox is deleted again.
    Both are carried out by the running service. Ends with 1 if an inbox could not be read to its end.
    """
    from soap_handler.cli import display, reconcile_run  # noqa: PLC0415 - they load SQLAlchemy, pydantic and rich

    logs.configure("error", "text")  # a warning for each recovered message would break the progress bar
    with display.progress() as show:
        outcomes = reconcile_run.reconcile(config, account, dry_run=dry_run, show=show)
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "accounts": [reconcile_run.summary(each) for each in outcomes]}))
    else:
        display.print_table(reconcile_run.table(outcomes, dry_run=dry_run))
        typer.echo(reconcile_run.conclusion(outcomes, dry_run=dry_run))
    failed = [outcome for outcome in outcomes if outcome.result.error]
    for outcome in failed:
        typer.echo(f"soap-handler: {outcome.account}: {printable(str(outcome.result.error))}", err=True)
    raise typer.Exit(1 if failed else 0)
