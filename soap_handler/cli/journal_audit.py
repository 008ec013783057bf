"""``journal audit``: lists what people did by hand; ``noted`` has a command write its own row there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from soap_handler.cli.options import Config, Json  # noqa: TC001 - typer reads them

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from soap_handler.journal import Audited, Journal, Selection
    from soap_handler.journal.operator.audit import Note


def audit(
    *,
    config: Config = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1_000_000, metavar="N", help="At most so many, the latest.")
    ] = 50,
    as_json: Json = False,
) -> None:
    """List who retried, replayed, gave up, released or erased what, latest first, with the number of notifications.

    Of the console's users it has the name, of this command cli: with the user, the one behind sudo, and the host.
    """
    from soap_handler.cli import display, journal_view  # noqa: PLC0415 - they load SQLAlchemy and rich
    from soap_handler.journal import trail  # noqa: PLC0415 - it loads SQLAlchemy

    with journal_view.open_journal(config) as journal:
        rows = trail(journal, limit)
    if as_json:
        typer.echo(json.dumps([_summary(row) for row in rows], indent=2))
        return
    headings = ("begun", "who", "from", "action", "of", "notifications", "how it ended")
    shown = [
        (
            journal_view.instant(row.begun_at),
            row.who,
            row.caller or "",
            row.action,
            row.subject,
            "" if row.notifications is None else row.notifications,
            row.error or ("ok" if row.ended_at else "not known"),
        )
        for row in rows
    ]
    display.print_table(display.Table("", headings, shown))


def noted(
    journal: Journal, action: str, selections: Sequence[Selection], about: str | None = None
) -> AbstractContextManager[Note]:
    """Note an action of this command in the audit trail, from before to after the block.

    ``about`` is what else it is about, in words without personal data.

    Raises:
        JournalUnavailableError: the row could not be committed; the block is not entered.
    """
    from soap_handler.journal import noted, subject_of  # noqa: PLC0415 - they load SQLAlchemy
    from soap_handler.journal.databases.proof import operator  # noqa: PLC0415 - it loads SQLAlchemy
    from soap_handler.journal.operator.audit import EVERYTHING  # noqa: PLC0415 - it loads SQLAlchemy

    subject = subject_of(selections)
    if about is not None:
        subject = about if subject == EVERYTHING else f"{about}, {subject}"
    return noted(journal, f"cli:{operator()}", action, subject)


def _summary(row: Audited) -> dict[str, Any]:
    from soap_handler.cli.journal_view import instant  # noqa: PLC0415 - it loads SQLAlchemy

    return {
        "number": row.number,
        "begun_at": instant(row.begun_at),
        "ended_at": instant(row.ended_at),
        "who": row.who,
        "caller": row.caller,
        "action": row.action,
        "subject": row.subject,
        "notifications": row.notifications,
        "error": row.error,
    }
