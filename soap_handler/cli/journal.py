"""``journal list``, ``tail``, ``show``, ``reconciliations``: looks at rows. Others move them, or list who did."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from soap_handler.cli import journal_audit, journal_moves
from soap_handler.cli.journal_filters import AccountFilter, Filters  # noqa: TC001 - typer reads them
from soap_handler.cli.option_groups import grouped
from soap_handler.cli.options import Config, Json  # noqa: TC001 - typer reads them

commands = typer.Typer(
    name="journal",
    help="Look into the journal; retry, replay or release what is in it, or give it up; copy it and put a copy back.",
)
journal_moves.register(commands)
commands.command(epilog="Example: soap-handler journal audit --limit 20")(journal_audit.audit)

Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, metavar="N", help="At most so many, the latest.")]


@commands.command("list")
@grouped()
def list_(
    *,
    config: Config = None,
    filters: Filters,
    limit: Limit = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is stored from now on.")] = False,
    as_json: Json = False,
) -> None:
    """List notifications, latest first, without what the messages say.

    On a terminal a line has the local time of storing, how long ago that was, the state, the attempts, the originator,
    the beginning of the key, and the last error. Into a pipe it has all values whole, between tabs, with times in UTC.
    """
    from soap_handler.cli import journal_lines, journal_view  # noqa: PLC0415 - they load SQLAlchemy and rich

    if follow and as_json:
        raise typer.BadParameter("--follow and --json do not go together")
    with journal_view.open_journal(config) as journal:
        wanted = filters.selection(journal, config)
        if as_json:
            found = journal_view.summaries(journal, journal.records(wanted, limit))
            typer.echo(json.dumps(found, indent=2))
        elif follow:
            journal_lines.follow(journal, wanted, limit)
        else:
            journal_lines.print_list(journal, wanted, limit)


@commands.command()
def tail(
    *,
    config: Config = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=500, metavar="N", help="Begin with the last so many.")
    ] = 10,
) -> None:
    """Show what happens, as it happens: each notification that is stored, each attempt that ends. Ctrl-C ends it."""
    from soap_handler.cli import journal_lines, journal_view  # noqa: PLC0415 - they load SQLAlchemy and rich

    with journal_view.open_journal(config) as journal:
        journal_lines.tail(journal, lines)


@commands.command()
def show(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key, or the beginning of it or of the message's id.")],
    *,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show a notification, what it says, and its history; into a pipe with times in UTC."""
    from soap_handler.cli import display, journal_view  # noqa: PLC0415 - they load SQLAlchemy and rich
    from soap_handler.journal import Selection  # noqa: PLC0415 - it loads SQLAlchemy

    with journal_view.open_journal(config) as journal:
        found = journal.records(Selection(key=journal_view.whole_key(journal, key)), 1)
        history = journal.history(found[0].seq) if found else []
        now = journal.now()
    if not found:
        typer.echo(f"soap-handler: the journal has no {key}", err=True)
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(journal_view.whole(found[0], history), indent=2))
        return
    display.print_table(*journal_view.pages(found[0], history, now))


@commands.command()
def reconciliations(
    *, config: Config = None, account: AccountFilter = None, limit: Limit = 20, as_json: Json = False
) -> None:
    """List the runs that compared an inbox with the journal, latest first, with what each found.

    Into a pipe it has the values between tabs, with times in UTC.
    """
    from soap_handler.cli import display, journal_view, reconcile_run  # noqa: PLC0415 - they load SQLAlchemy and rich

    with journal_view.open_journal(config) as journal:
        names = journal_view.names_of(config, account, journal)
        found = journal.reconciliations(names[0] if names else None, limit)
        now = journal.now()
    if as_json:
        typer.echo(json.dumps([reconcile_run.run_summary(run) for run in found], indent=2))
    else:
        display.print_table(reconcile_run.runs_table(found, now))
