"""What moves rows by hand: counted, asked for where it is many, carried out, and said."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import typer

from soap_handler import journal as journals
from soap_handler.cli import journal_audit, journal_view
from soap_handler.journal import Replayable, count_replayable, count_to_give_up, questions
from soap_handler.journal.operator.audit import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.cli.journal_filters import Order
    from soap_handler.journal import Journal, Selection


def retry(order: Order) -> int:
    """Send dead ones round again; return the exit code."""

    def count(journal: Journal, selection: Selection) -> int:
        return journal.read(lambda connection: questions.count_dead(connection, selection))

    missing = _carry_out(order, "retry", "sent round again", count, lambda journal, selection: journal.retry(selection))
    return _said(missing, "the journal has no dead {key}")


def give_up(order: Order, reason: str) -> int:
    """Make dead what waits for its handler; return the exit code."""
    if not reason.strip():
        raise typer.BadParameter("--reason is blank; expected one")

    def carry_out(journal: Journal, selection: Selection) -> int:
        return journals.give_up(journal, selection, reason.strip())

    missing = _carry_out(order, "give-up", "given up", count_to_give_up, carry_out)
    return _said(missing, "nothing to give up: {key} does not wait for its handler, is being worked on or is unknown")


def replay(order: Order) -> int:
    """Send done ones round again; return the exit code."""
    with journal_view.open_journal(order.config) as journal:
        selections = order.selections(journal)
        counts = [count_replayable(journal, each) for each in selections]
        order.confirm(_sum(counts).notifications, "handled once more")
        if not order.dry_run:
            with journal_audit.noted(journal, "replay", selections) as note:
                counts = [journals.replay(journal, each) for each in selections]
                note.notifications = _sum(counts).notifications
    found = _sum(counts)
    order.say("replayed", found.notifications)
    if found.have_left:
        typer.echo(f"of them have left the EMS inbox and are not deleted again: {found.have_left}")
    missing = order.missing(selections, [each.notifications for each in counts])
    return _said(missing, "nothing to replay: {key} is not done, is a test, was erased or is unknown")


def release(order: Order) -> int:
    """Make due at once what waits for a later time; return the exit code."""
    dry_run = order.dry_run
    with journal_view.open_journal(order.config) as journal:
        selections = order.selections(journal)
        logins = deletes = None
        with nullcontext(Note()) if dry_run else journal_audit.noted(journal, "release", selections) as note:
            if order.everything and set(order.filters.given) <= {"account"}:
                names = journal_view.names_of(order.config, order.filters.account, journal)
                logins, deletes = journal_view.open_gates(journal, names, dry_run=dry_run)
            counts = [journal.count_held_back(each) if dry_run else journal.release_due(each) for each in selections]
            # The gates have made their deletes due already.
            note.notifications = released = sum(counts) + (0 if dry_run else deletes or 0)
    order.say("released", released)
    if logins is not None:
        be = "would be" if dry_run else "are"
        typer.echo(f"of them deletes that {be} due now: {deletes}")
        typer.echo(f"refused inbox logins that {be} tried again: {logins}")
    return _said(order.missing(selections, counts), "nothing holds back {key}, or the journal has it not")


def _carry_out(
    order: Order,
    action: str,
    done: str,
    count: Callable[[Journal, Selection], int],
    carry_out: Callable[[Journal, Selection], int],
) -> list[str]:
    """Count, ask, carry out and note it, and say it; return the keys for which there was nothing to do."""
    with journal_view.open_journal(order.config) as journal:
        selections = order.selections(journal)
        counts = [count(journal, each) for each in selections]
        order.confirm(sum(counts), done)
        if not order.dry_run:
            with journal_audit.noted(journal, action, selections) as note:
                counts = [carry_out(journal, each) for each in selections]
                note.notifications = sum(counts)
    order.say(done, sum(counts))
    return order.missing(selections, counts)


def _said(missing: Sequence[str], why: str) -> int:
    """Say for which keys there was nothing to do; return the exit code."""
    for key in missing:
        typer.echo(f"soap-handler: {why.format(key=key)}", err=True)
    return 1 if missing else 0


def _sum(counts: Sequence[Replayable]) -> Replayable:
    return Replayable(sum(each.notifications for each in counts), sum(each.have_left for each in counts))
