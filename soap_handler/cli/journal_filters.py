"""The options of ``journal``: filters, and the selection that they describe; orders, and what they are about."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from soap_handler import times
from soap_handler.cli.options import Config, Yes  # noqa: TC001 - typer reads them
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from soap_handler.journal import Journal, Selection

AccountFilter = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="Only this account, by any of its names.")
]
Keys = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY", help="Keys, or their beginnings, as list prints them.", show_default=False),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count them, and change nothing.")]
Everything = Annotated[bool, typer.Option("--all", help="All that there are, or those of the filters.")]

_ASKS_ABOVE: Final = 10  # notifications


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The options, and their values. ``None`` is not given."""

    state: Annotated[
        str | None,
        typer.Option("--state", metavar="STATE", help="Only in this state: received, handled, done or dead."),
    ] = None
    kind: Annotated[
        Kind | None,
        typer.Option("--kind", metavar="KIND", help=f"Only this kind: {', '.join(Kind)}.", show_choices=False),
    ] = None
    account: AccountFilter = None
    originator: Annotated[
        str | None, typer.Option("--originator", metavar="TEXT", help="Only from this number or name, as it came.")
    ] = None
    number: Annotated[
        str | None,
        typer.Option("--number", metavar="NUMBER", help="Only from this number, in any form, or by its last digits."),
    ] = None
    message_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Only of this message, by any spelling of its id.")
    ] = None
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Only stored then or later: 2h (ago), 10:02, 2026-03-02, 2026-03-02T10:02."
        ),
    ] = None
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Only stored until the end of that minute or day.")
    ] = None
    error: Annotated[
        str | None, typer.Option("--error", metavar="TEXT", help="Only where the last error contains this text.")
    ] = None

    @property
    def given(self) -> list[str]:
        """The names of those that are given."""
        return [each.name for each in fields(self) if getattr(self, each.name) is not None]

    def selection(self, journal: Journal, config: Path | None) -> Selection:
        """Return the selection that they describe.

        Raises:
            typer.BadParameter: there is no such state, account, number or time.
            SettingsError: the configuration cannot be used.
            JournalUnavailableError: the journal is out of reach.
        """
        from soap_handler.cli import journal_view  # noqa: PLC0415 - it loads SQLAlchemy
        from soap_handler.journal import Selection  # noqa: PLC0415 - it loads SQLAlchemy
        from soap_handler.journal.conditions import is_number  # noqa: PLC0415 - it loads SQLAlchemy

        if self.number is not None and not is_number(self.number):
            raise typer.BadParameter(f"--number is {self.number!r}; expected digits, such as +447700900123")
        now = journal.now()
        return Selection(
            state=journal_view.state_of(self.state),
            kind=self.kind,
            account=journal_view.names_of(config, self.account, journal),
            originator=self.originator,
            number=self.number,
            message_id=self.message_id,
            since=None if self.since is None else _time("--since", self.since, now)[0],
            until=None if self.until is None else _time("--until", self.until, now)[1],
            error=self.error or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The options of a command that moves rows."""

    keys: Keys = None
    config: Config = None
    everything: Everything = False
    filters: Filters = Filters()
    dry_run: DryRun = False
    yes: Yes = False

    def selections(self, journal: Journal) -> list[Selection]:
        """Return what it is about: one selection of each key, or one of the filters.

        Raises:
            typer.BadParameter: both were given or none, or a filter names what there is not.
            typer.Exit: a key is the beginning of several; they are listed.
        """
        from soap_handler.cli import journal_view  # noqa: PLC0415 - it loads SQLAlchemy
        from soap_handler.journal import Selection  # noqa: PLC0415 - it loads SQLAlchemy

        if bool(self.keys) == self.everything:
            raise typer.BadParameter("expected either keys, or --all")
        if self.keys and self.filters.given:
            raise typer.BadParameter("filters go with --all, not with keys")
        if self.keys:
            whole = map(partial(journal_view.whole_key, journal), self.keys)
            return [Selection(key=key) for key in dict.fromkeys(whole)]
        return [self.filters.selection(journal, self.config)]

    def confirm(self, found: int, what: str) -> None:
        """Ask where there are many, and stop the command where the answer is no or there is none.

        Raises:
            typer.Abort: it is.
        """
        if not self.dry_run and not self.yes and found > _ASKS_ABOVE:
            typer.confirm(f"{found} notifications would be {what}. Go on?", abort=True)

    def say(self, done: str, count: int) -> None:
        """Say how much was done, or would be."""
        typer.echo(f"{'would be ' if self.dry_run else ''}{done}: {count}")

    def missing(self, selections: Sequence[Selection], counts: Sequence[int]) -> list[str]:
        """Return the keys for which there was nothing to do."""
        return [
            each.key for each, count in zip(selections, counts, strict=True) if each.key and self.keys and not count
        ]


def _time(option: str, text: str, now: datetime) -> tuple[datetime, datetime]:
    try:
        return times.read(text, now)
    except ValueError:
        expected = "expected 2h, 10:02, 2026-03-02, or 2026-03-02T10:02, with or without a zone"
        raise typer.BadParameter(f"{option} is {text!r}; {expected}") from None
