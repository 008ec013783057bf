"""``journal list``, ``show``, ``retry``, ``replay``, ``release``, ``reconciliations``: looks at rows, or moves them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from soap_handler.cli.options import Config, Json  # noqa: TC001 - typer reads them
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from types import ModuleType

    from soap_handler.journal import Selection

commands = typer.Typer(name="journal", help="Look into the journal, and send round again what is dead or waits.")

KindFilter = Annotated[Kind | None, typer.Option("--kind", help="Only this kind.")]
AccountFilter = Annotated[str | None, typer.Option("--account", help="Only this account, by any of its names.")]
OriginatorFilter = Annotated[str | None, typer.Option("--originator", help="Only from this number or name.")]
IdFilter = Annotated[str | None, typer.Option("--id", help="Only of this message, by any spelling of its id.")]


@commands.command("list")
def list_(
    *,
    config: Config = None,
    state: Annotated[str | None, typer.Option(help="Only in this state: received, handled, done or dead.")] = None,
    kind: KindFilter = None,
    account: AccountFilter = None,
    originator: OriginatorFilter = None,
    message_id: IdFilter = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many, the latest.")] = 50,
    as_json: Json = False,
) -> None:
    """List notifications, latest first, without what the messages say."""
    from soap_handler.cli import display, journal_view  # noqa: PLC0415 - they load SQLAlchemy and rich

    names = journal_view.names_of(config, account)
    wanted = journal_view.selection(state=state, kind=kind, account=names, originator=originator, message_id=message_id)
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

    names = journal_view.names_of(config, account)
    wanted = _wanted(journal_view, keys, everything=everything, kind=kind, account=names, originator=originator)
    with journal_view.open_journal(config) as journal:
        sent = [journal.retry(each) for each in wanted]
    typer.echo(f"sent round again: {sum(sent)}")
    alive = [each.key for each, count in zip(wanted, sent, strict=True) if keys and not count]
    for key in alive:
        typer.echo(f"soap-handler: the journal has no dead {key}", err=True)
    raise typer.Exit(1 if alive else 0)


@commands.command()
def replay(
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY]...", help="Keys of done notifications.")] = None,
    *,
    config: Config = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are done, or those of the filters.")] = False,
    kind: KindFilter = None,
    account: AccountFilter = None,
    originator: OriginatorFilter = None,
    message_id: IdFilter = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, however many there are.")] = False,
) -> None:
    """Send notifications round again that are done: the handler or the sink gets them once more, with the same key.

    A message that has left the EMS inbox is not deleted there again. Tests, and what was erased, are left out.
    """
    from soap_handler.cli import journal_replay, journal_view  # noqa: PLC0415 - they load SQLAlchemy

    filters = {
        "kind": kind,
        "account": journal_view.names_of(config, account),
        "originator": originator,
        "message_id": message_id,
    }
    wanted = _wanted(journal_view, keys, everything=everything, **filters)
    raise typer.Exit(journal_replay.carry_out(config, wanted, named=bool(keys), dry_run=dry_run, unasked=yes))


@commands.command()
def release(
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY]...", help="Keys of notifications.")] = None,
    *,
    config: Config = None,
    everything: Annotated[bool, typer.Option("--all", help="All that wait, or those of the filters.")] = False,
    kind: KindFilter = None,
    account: AccountFilter = None,
    originator: OriginatorFilter = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them, and change nothing.")] = False,
) -> None:
    """Make due at once what waits for a later time, such as a retry or a delete; nothing that is being worked on.

    With --all, and no filter but --account, inbox logins that EMS refused are tried again at once, too. It is for a
    cause that is mended, or for a clock that was wrong. Attempts keep their count.
    """
    from soap_handler.cli import journal_view  # noqa: PLC0415 - it loads SQLAlchemy

    names = journal_view.names_of(config, account)
    wanted = _wanted(journal_view, keys, everything=everything, kind=kind, account=names, originator=originator)
    with journal_view.open_journal(config) as journal:
        logins = deletes = None
        if everything and kind is None and originator is None:
            logins, deletes = journal_view.open_gates(journal, names, dry_run=dry_run)
        counts = [journal.count_held_back(each) if dry_run else journal.release_due(each) for each in wanted]
    released = sum(counts) + (0 if dry_run else deletes or 0)  # the gates have made those due already
    typer.echo(f"{'would be released' if dry_run else 'released'}: {released}")
    if logins is not None:
        be = "would be" if dry_run else "are"
        typer.echo(f"of them deletes that {be} due now: {deletes}")
        typer.echo(f"refused inbox logins that {be} tried again: {logins}")
    held = [each.key for each, count in zip(wanted, counts, strict=True) if keys and not count]
    for key in held:
        typer.echo(f"soap-handler: nothing holds back {key}, or the journal has it not", err=True)
    raise typer.Exit(1 if held else 0)


def _wanted(
    journal_view: ModuleType,
    keys: list[str] | None,
    *,
    everything: bool,
    **filters: Any,  # noqa: ANN401 - those of a selection
) -> list[Selection]:
    """Return the selections that are asked for: one of each key, or one of the filters."""
    if bool(keys) == everything:
        raise typer.BadParameter("expected either keys, or --all")
    if keys and any(filters.values()):
        raise typer.BadParameter("filters go with --all, not with keys")
    asked = [journal_view.selection(key=key) for key in keys or ()]
    return asked or [journal_view.selection(**filters)]


@commands.command()
def reconciliations(
    *,
    config: Config = None,
    account: AccountFilter = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many, the latest.")] = 20,
    as_json: Json = False,
) -> None:
    """List the runs that compared an inbox with the journal, latest first, with what each found."""
    from soap_handler.cli import display, journal_view, reconcile_run  # noqa: PLC0415 - they load SQLAlchemy and rich

    with journal_view.open_journal(config) as journal:
        names = journal_view.names_of(config, account)
        found = journal.reconciliations(names[0] if names else None, limit)
    if as_json:
        typer.echo(json.dumps([reconcile_run.run_summary(run) for run in found], indent=2))
    else:
        display.print_table(reconcile_run.runs_table(found))
