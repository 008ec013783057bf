"""Reconciliation by hand, one account after the other; its results and the recorded runs as tables and JSON."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import typer

from soap_handler import times
from soap_handler.accounts.accounts import Accounts
from soap_handler.cli import configuration, journal_view
from soap_handler.cli.columns import on_terminal
from soap_handler.cli.display import Table
from soap_handler.inbox import Inbox
from soap_handler.inbox.reconciler import Reconciler
from soap_handler.journal import Beginning, Tally, adopt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from soap_handler.accounts.authentication import Account
    from soap_handler.cli.display import Show
    from soap_handler.inbox.reconciler import Result
    from soap_handler.journal import Reconciliation
    from soap_handler.settings import Settings

_COLUMNS: Final = {
    "inbox": "inbox",
    "known": "known",
    "recovered": "recovered",
    "deleted again": "deleted_again",
    "left alone": "left_alone",
    "unreadable": "unreadable",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of the run for one account."""

    account: str
    result: Result


def reconcile(config: Path | None, account: str | None, *, dry_run: bool, show: Show) -> list[Outcome]:
    """Compare the inbox of one account, or of all that have one, with the journal.

    Raises:
        typer.BadParameter: there is no such account, or none with an inbox.
        SettingsError: the configuration cannot be used.
        JournalUnavailableError: there is no journal, or it cannot be opened.
        SchemaError: it is of a newer release.
    """
    settings = configuration.load(config)
    outcomes = []
    with journal_view.open_journal(config) as journal, contextlib.ExitStack() as open_inboxes:
        chosen = _chosen(settings, account)
        if not dry_run:
            adopt(journal, settings.account)  # else what came under a former name would count as missed
        for each in chosen:
            assert each.inbox is not None  # noqa: S101 - _chosen guarantees it; this tells mypy
            inbox = open_inboxes.enter_context(contextlib.closing(Inbox(each.reference, each.inbox)))
            reconciler = Reconciler(each, inbox, journal, settings.reconcile)
            beginning = Beginning(each.reference, journal.now())
            outcomes.append(Outcome(each.reference, _run(beginning, reconciler, show, dry_run=dry_run)))
    return outcomes


def _chosen(settings: Settings, name: str | None) -> list[Account]:
    accounts = Accounts(settings.account)
    if name is None:
        chosen = [account for account in accounts if account.inbox is not None]
        if not chosen:
            raise typer.BadParameter("no account of the configuration has an inbox")
        return chosen
    account = accounts.get(name)
    if account is None or account.inbox is None:
        raise typer.BadParameter(f"--account is {name!r}; expected one that the configuration has, with an inbox")
    return [account]


def _run(beginning: Beginning, reconciler: Reconciler, show: Show, *, dry_run: bool) -> Result:
    reference = beginning.account

    def show_tally(tally: Tally) -> None:
        show({reference: (tally.inbox, None)})  # the total is known only at the end

    show_tally(Tally())
    result = reconciler.rehearse(show_tally) if dry_run else reconciler.run(beginning, show=show_tally)
    assert result is not None  # noqa: S101 - a run without conditions is never skipped
    show({reference: (result.tally.inbox, result.tally.inbox)})
    return result


def summary(outcome: Outcome) -> dict[str, Any]:
    """Return the counts of an account as plain values."""
    error = outcome.result.error
    return {"account": outcome.account, **_counts(outcome.result.tally), "error": str(error) if error else None}


def _counts(tally: Tally) -> dict[str, int]:
    return {**asdict(tally), "known": tally.known}


def table(outcomes: Sequence[Outcome], *, dry_run: bool) -> Table:
    """Return the counts for people."""
    rows = [(outcome.account, *_cells(outcome.result.tally)) for outcome in outcomes]
    return Table("What would be done" if dry_run else "", ("account", *_COLUMNS), rows)


def _cells(tally: Tally) -> Iterator[int]:
    counts = _counts(tally)
    return (counts[name] for name in _COLUMNS.values())


def conclusion(outcomes: Sequence[Outcome], *, dry_run: bool) -> str:
    """Return one sentence on what comes next."""
    recovered = sum(outcome.result.tally.recovered for outcome in outcomes)
    again = sum(outcome.result.tally.deleted_again for outcome in outcomes)
    if dry_run:
        return f"{recovered} would be recovered and {again} deleted again; nothing was written."
    return f"{recovered} recovered, {again} to be deleted again; they are handled and deleted while the service runs."


def run_summary(run: Reconciliation) -> dict[str, Any]:
    """Return a recorded run as plain values."""
    return {
        "account": run.account,
        "started_at": journal_view.instant(run.started_at),
        "ended_at": journal_view.instant(run.ended_at),
        **_counts(run.tally),
        "error": run.error,
    }


def runs_table(runs: Sequence[Reconciliation], now: datetime) -> Table:
    """Return the recorded runs for people, or for a program that reads them from a pipe."""
    began = journal_view.time_shown(now)
    rows = [(began(run.started_at), run.account, *_cells(run.tally), _how_it_ended(run)) for run in runs]
    title = f"Times are {times.zone(now)}" if on_terminal() else ""
    return Table(title, ("began", "account", *_COLUMNS, "how it ended"), rows)


def _how_it_ended(run: Reconciliation) -> str:
    return run.error or ("ok" if run.ended_at else "under way, or its process died")
