"""``journal list``, ``show``, ``retry`` and ``reconciliations``: reads the journal and requeues dead notifications."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from soap_handler.cli.options import Config, Json  # noqa: TC001 - typer reads them
from soap_handler.notifications import Kind

commands = typer.Typer(name="journal", help="Look into the journal, and send dead notifications round again.")

KindFilter = Annotated[Kind | None, typer.Option("--kind", help="Only this kind.")]
AccountFilter = Annotated[str | None, typer.Option("--account", help="Only this account, by its reference.")]
OriginatorFilter = Annotated[str | None, typer.Option("--originator", help="Only from this number or name.")]


@commands.command("list")
def list_(
    *,
    config: Config = None,
    state: Annotated[str | None, typer.Option(help="Only in this state: received, handled, done or dead.")] = None,
    kind: KindFilter = None,
    account: AccountFilter = None,
    originator: OriginatorFilter = None,
    message_id: Annotated[
        str | None, typer.Option("--id", help="Only of this message, by any spelling of its id.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest.")] = 50,
    as_json: Json = False,
) -> None:
    """List notifications, latest first, without what the messages say."""
    from soap_handler.cli import display, journal_view  # noqa: PLC0415 - they load SQLAlchemy and rich

    wanted = journal_view.selection(
        state=state, kind=kind, account=account, originator=originator, message_id=message_id
    )
    with journal_view.open_journal(config) as journal:
        found = journal.records(wanted, limit)
    if as_json:
        typer.echo(json.dumps([journal_view.summary(record) for record in found], indent=2))
    else:
        display.print_table(journal_view.overview(found))


@commands.command()
def show(
    key: Annotated[str, typer.Argument(help="The key of the notification, as list prints it.")],
    *,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show a notification, what it says, and its history."""
    from soap_handler.cli import display, journal_view  # noqa: PLC0415 - they load SQLAlchemy and rich

    with journal_view.open_journal(config) as journal:
        found = journal.records(journal_view.selection(key=key), 1)
        history = journal.history(found[0].seq) if found else []
    if not found:
        typer.echo(f"soap-handler: the journal has no {key}", err=True)
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(journal_view.whole(found[0], history), indent=2))
        return
    for table in journal_view.pages(found[0], history):
        display.print_table(table)


@commands.command()
def retry(
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY]...", help="Keys of dead notifications.")] = None,
    *,
    config: Config = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead ones, or those of the filters.")] = False,
    kind: KindFilter = None,
    account: AccountFilter = None,
    originator: OriginatorFilter = None,
) -> None:
    """Send dead notifications round again, with a fresh count of attempts. A running service takes them up."""
    from soap_handler.cli import journal_view  # noqa: PLC0415 - it loads SQLAlchemy

    if bool(keys) == everything:
        raise typer.BadParameter("expected either keys, or --all")
    if keys and (kind or account or originator):
        raise typer.BadParameter("filters go with --all, not with keys")
    asked = [journal_view.selection(key=key) for key in keys or ()]
    wanted = asked or [journal_view.selection(kind=kind, account=account, originator=originator)]
    with journal_view.open_journal(config) as journal:
        sent = [journal.retry(each) for each in wanted]
    typer.echo(f"sent round again: {sum(sent)}")
    alive = [each.key for each, count in zip(asked, sent, strict=False) if not count]
    for key in alive:
        typer.echo(f"soap-handler: the journal has no dead {key}", err=True)
    raise typer.Exit(1 if alive else 0)


@commands.command()
def reconciliations(
    *,
    config: Config = None,
    account: AccountFilter = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest.")] = 20,
    as_json: Json = False,
) -> None:
    """List the runs that compared an inbox with the journal, latest first, with what each found."""
    from soap_handler.cli import display, journal_view, reconcile_run  # noqa: PLC0415 - they load SQLAlchemy and rich

    with journal_view.open_journal(config) as journal:
        found = journal.reconciliations(account, limit)
    if as_json:
        typer.echo(json.dumps([reconcile_run.run_summary(run) for run in found], indent=2))
    else:
        display.print_table(reconcile_run.runs_table(found))
