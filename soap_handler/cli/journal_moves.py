"""``journal retry``, ``replay``, ``release``, ``give-up``: moves rows. ``journal_orders`` carries it out."""

from __future__ import annotations

from typing import Annotated

import typer

from soap_handler.cli.journal_filters import Order  # noqa: TC001 - typer reads it
from soap_handler.cli.option_groups import grouped


@grouped("state")
def retry(*, order: Order) -> None:
    """Send dead notifications round again, with a fresh count of attempts. A running service takes them up."""
    from soap_handler.cli import journal_orders  # noqa: PLC0415 - it loads SQLAlchemy

    raise typer.Exit(journal_orders.retry(order))


@grouped("state")
def replay(*, order: Order) -> None:
    """Send notifications round again that are done: the handler or the sink gets them once more, with the same key.

    A message that has left the EMS inbox is not deleted there again. Tests, and what was erased, are left out.
    """
    from soap_handler.cli import journal_orders  # noqa: PLC0415 - it loads SQLAlchemy

    raise typer.Exit(journal_orders.replay(order))


@grouped("state")
def give_up(
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the history keeps it.")],
    order: Order,
) -> None:
    """Make dead what waits for its handler, with a reason: it is not tried again until journal retry names it.

    What a process works on now is left out, and so is what was handled and has only to leave the inbox.
    """
    from soap_handler.cli import journal_orders  # noqa: PLC0415 - it loads SQLAlchemy

    raise typer.Exit(journal_orders.give_up(order, reason))


@grouped("state", "yes")
def release(*, order: Order) -> None:
    """Make due at once what waits for a later time, such as a retry or a delete; nothing that is being worked on.

    With --all, and no filter but --account, inbox logins that EMS refused are tried again at once, too. It is for a
    cause that is mended, or for a clock that was wrong. Attempts keep their count.
    """
    from soap_handler.cli import journal_orders  # noqa: PLC0415 - it loads SQLAlchemy

    raise typer.Exit(journal_orders.release(order))


def register(commands: typer.Typer) -> None:
    """Add these commands to ``journal``."""
    for name, command in (("retry", retry), ("replay", replay), ("give-up", give_up), ("release", release)):
        commands.command(name)(command)
