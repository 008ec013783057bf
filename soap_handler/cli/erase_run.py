"""Erasure by hand: the accounts meant, and the outcome as table and text. The number itself is never printed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import typer

from soap_handler.accounts.accounts import Accounts
from soap_handler.cli import configuration, journal_audit, journal_view
from soap_handler.cli.display import Table
from soap_handler.journal import Erasure, ErasureRecord, Selection, Trace, Wiped, adopt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from soap_handler.settings import Settings

_ENDINGS: Final = {
    None: "Nothing was written.",
    Wiped.CLEAN: "Nothing of it is left in the journal's files.",
    Wiped.FOUND: (
        "The same digits still occur in the journal's file: in another account, in an id, or in a longer number."
    ),
    Wiped.BUSY: "Others hold the journal's write-ahead log; erase once more when they have ended.",
    Wiped.NEEDS_VACUUM: "PostgreSQL keeps old versions of rows until VACUUM, and its backups for longer.",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was erased, and what is left in the files; ``wiped`` is ``None`` after a dry run."""

    erasure: Erasure
    wiped: Wiped | None

    @property
    def is_clean(self) -> bool:
        """Whether no further run of this command is needed."""
        return self.wiped is not Wiped.BUSY


def erase(config: Path | None, number: str, account: str | None, *, dry_run: bool) -> Outcome:
    """Remove a number from the journal of a configuration, or count what would be removed.

    Raises:
        typer.BadParameter: it is no number, it is an account's own, or there is no such account.
        SettingsError: the configuration cannot be used.
        JournalUnavailableError: there is no journal, or it cannot be opened or written.
        SchemaError: it is of a newer release.
    """
    settings = configuration.load(config)
    trace = _trace(number, settings)
    reference = None if account is None else _reference(account, settings)
    with journal_view.open_journal(config) as journal:
        if dry_run:
            return Outcome(journal.erasures.rehearse(trace, reference), None)
        adopt(journal, settings.account)  # so that the account has all that is its own
        inboxes = [each.reference for each in settings.account if each.inbox is not None]
        with journal_audit.noted(journal, "erase", [Selection(account=reference)], about="a number") as note:
            erasure = journal.erasures.erase(trace, reference, inboxes)
            note.notifications = erasure.notifications
        return Outcome(erasure, journal.erasures.wipe(trace))


def _trace(number: str, settings: Settings) -> Trace:
    try:
        trace = Trace(number)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    for each in settings.account:  # it is the recipient of every message
        if any(trace.is_meant(name) for name in each.names):
            raise typer.BadParameter(f"that is a name of your own account {each.reference}; expected another number")
    return trace


def _reference(name: str, settings: Settings) -> str:
    found = Accounts(settings.account).get(name)
    if found is None:
        raise typer.BadParameter(f"--account is {name!r}; expected one that the configuration has")
    return found.reference


def summary(outcome: Outcome) -> dict[str, Any]:
    """Return the counts as plain values."""
    files = None if outcome.wiped is None else outcome.wiped.value
    return {"dry_run": outcome.wiped is None, **asdict(outcome.erasure), "files": files}


def table(outcome: Outcome) -> Table:
    """Return the counts for people."""
    done = outcome.erasure
    rows = [
        ("notifications about the number", done.notifications),
        ("of them waiting, and not handled any more", done.waiting),
        ("other notifications that mention it", done.mentions),
        ("errors of attempts", done.attempts),
        ("errors of reconciliations", done.reconciliations),
    ]
    return Table("What would be erased" if outcome.wiped is None else "Erased", ("", ""), rows)


def conclusion(outcome: Outcome) -> str:
    """Return one sentence on what is left."""
    return _ENDINGS[outcome.wiped]


def records(config: Path | None, number: str | None) -> list[ErasureRecord]:
    """Return the record of erasures, latest first; of one number where it is given.

    Raises:
        typer.BadParameter: it is no number.
        SettingsError: the configuration cannot be used.
        JournalUnavailableError: there is no journal, or it cannot be opened.
        SchemaError: it is of a newer release.
    """
    try:
        trace = None if number is None else Trace(number)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with journal_view.open_journal(config) as journal:
        found = journal.erasures.records()
    return [each for each in found if trace is None or each.is_of(trace)]


def record_summary(record: ErasureRecord) -> dict[str, Any]:
    """Return the record of an erasure as plain values."""
    return {
        "started_at": journal_view.instant(record.started_at),
        "ended_at": journal_view.instant(record.ended_at),
        "who": record.who,
        "account": record.account,
        **asdict(record.erased),
        "digest": record.digest,
    }


def records_table(found: Sequence[ErasureRecord]) -> Table:
    """Return the record of erasures for people."""
    rows = [
        (
            f"{each.started_at:%Y-%m-%dT%H:%M:%SZ}" + ("" if each.ended_at else " (not ended)"),
            each.who,
            each.account or "all",
            each.erased.notifications,
            each.erased.mentions,
            each.digest.rpartition("$")[2][:12],
        )
        for each in found
    ]
    return Table("", ("when", "who", "account", "notifications", "mentions", "digest"), rows)
