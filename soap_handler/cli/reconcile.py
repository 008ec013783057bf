"""``reconcile``: hold the inboxes against the journal now. What a run does is said by ``inbox.reconciler``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from soap_handler import logs
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
    """Find what was missed: hold the EMS inbox of each account against the journal.

    What the journal does not know is put into it as received; what is done and still in the inbox is deleted again.
    Both are carried out by the running service. Ends with 1 if an inbox could not be read to its end.
    """
    from soap_handler.cli import display, reconciliation  # noqa: PLC0415 - they load SQLAlchemy, pydantic and rich

    logs.configure("error", "text")  # each recovered message is a warning, and would tear the bar apart
    with display.progress() as show:
        outcomes = reconciliation.reconcile(config, account, dry_run=dry_run, show=show)
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "accounts": [reconciliation.summary(each) for each in outcomes]}))
    else:
        display.print_table(reconciliation.table(outcomes, dry_run=dry_run))
        typer.echo(reconciliation.conclusion(outcomes, dry_run=dry_run))
    failed = [outcome for outcome in outcomes if outcome.result.error]
    for outcome in failed:
        typer.echo(f"soap-handler: {outcome.account}: {outcome.result.error}", err=True)
    raise typer.Exit(1 if failed else 0)
