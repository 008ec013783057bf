"""``erase``: removes every trace of a phone number from the journal. ``journal.erasure`` defines a trace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from soap_handler.cli.options import Config, Json, Yes  # noqa: TC001 - typer reads them

if TYPE_CHECKING:
    from soap_handler.cli.erase_run import Outcome


def erase(
    number: Annotated[
        str | None,
        typer.Argument(help="The number in its international form, such as +447700900123; --list needs none."),
    ] = None,
    *,
    account: Annotated[
        str | None, typer.Option(metavar="REF", help="Only in this account, by any of its names; otherwise in all.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be erased, and write nothing.")] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="Show the record of erasures; with a number, those of this number.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Remove every trace of a phone number from the journal: messages, requests, and the errors of attempts.

    What waits for a handler is not handled any more; messages are still deleted from the EMS inbox.
    Numbers are compared by their digits, without a leading + or 00; a national form (07700 900123) is another number,
    to be erased by itself. Each erasure is recorded with who, when, the counts, and a digest in place of the number.
    Ends with 1 if traces may be left in the journal's files.
    """
    from soap_handler.cli import display, erase_run  # noqa: PLC0415 - they load SQLAlchemy, pydantic and rich

    if listed:
        found = erase_run.records(config, number)
        if as_json:
            typer.echo(json.dumps([erase_run.record_summary(each) for each in found], indent=2))
        else:
            display.print_table(erase_run.records_table(found))
        return
    if number is None:
        raise typer.BadParameter("expected the number to erase, or --list")
    if not (yes or dry_run):
        _confirm(erase_run.erase(config, number, account, dry_run=True))
    outcome = erase_run.erase(config, number, account, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(erase_run.summary(outcome)))
    else:
        display.print_table(erase_run.table(outcome))
        typer.echo(erase_run.conclusion(outcome))
    raise typer.Exit(0 if outcome.is_clean else 1)


def _confirm(found: Outcome) -> None:
    """Ask before anything is erased, which cannot be undone."""
    from soap_handler.cli import erase_run  # noqa: PLC0415 - as above

    if found.erasure:
        counts = ", ".join(f"{count} {what}" for what, count in erase_run.table(found).rows if count)
        typer.confirm(f"This would be erased for good: {counts}. Go on?", abort=True, err=True)
