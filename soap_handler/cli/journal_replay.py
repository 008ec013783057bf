"""The replay by hand: counted, asked for where it is many, and carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from soap_handler.cli import journal_view
from soap_handler.journal import Replayable, count_replayable, replay

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from soap_handler.journal import Selection

_ASKS_ABOVE: Final = 10  # notifications


def carry_out(config: Path | None, wanted: Sequence[Selection], *, named: bool, dry_run: bool, unasked: bool) -> int:
    """Replay selections, each of which is a key where they are ``named``; return the exit code.

    Raises:
        typer.Abort: there are many, and the answer was no, or there was none to ask.
        SettingsError: the configuration cannot be used.
        JournalUnavailableError: there is no journal, or it cannot be opened or written.
        SchemaError: it is of a newer release.
    """
    with journal_view.open_journal(config) as journal:
        counts = [count_replayable(journal, each) for each in wanted]
        found = _sum(counts)
        if not dry_run and not unasked and found.notifications > _ASKS_ABOVE:
            typer.confirm(f"{found.notifications} notifications would be handled once more. Go on?", abort=True)
        if not dry_run:
            counts = [replay(journal, each) for each in wanted]
            found = _sum(counts)
    typer.echo(f"{'would be replayed' if dry_run else 'replayed'}: {found.notifications}")
    if found.have_left:
        typer.echo(f"of them have left the EMS inbox and are not deleted again: {found.have_left}")
    missing = [each.key for each, count in zip(wanted, counts, strict=True) if named and not count.notifications]
    for key in missing:
        typer.echo(f"soap-handler: nothing to replay: {key} is not done, is a test, was erased or is unknown", err=True)
    return 1 if missing else 0


def _sum(counts: Sequence[Replayable]) -> Replayable:
    return Replayable(sum(each.notifications for each in counts), sum(each.have_left for each in counts))
